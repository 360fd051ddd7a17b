good.results no-such.console
