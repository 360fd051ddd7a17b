good.results
