no-such.results good.console
