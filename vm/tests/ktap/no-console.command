good.results /dev/null
