# Needs Node 20.19 or later and make; `npm ci` brings the rest.

INSTALLED := node_modules/.culvert-installed

.PHONY: demo test check sim fuzz e2e bench build clean

# A file, twice: over a Map that loses a third of it, and over a network whose nodes are killed.
demo: build
	@node dist/cli/main.js demo

test: $(INSTALLED)
	@npm run -s test

# Types, lint, the house rules, dead code, and the package as others will install it.
check: $(INSTALLED)
	@npm run -s check

# Every figure of the stream and of the DHT that a virtual world can measure, from seeds.
sim: $(INSTALLED)
	@npm run -s sim
	@npm run -s sim:dht

# A million malformed inputs for every parser, and for every core that hears strangers; lives of streams.
fuzz: $(INSTALLED)
	@npm run -s fuzz

# Real processes, real sockets, real signals.
e2e: build
	@npm run -s e2e

bench: $(INSTALLED)
	@npm run -s bench

build: $(INSTALLED)
	@npm run -s build

clean:
	rm -rf dist bench/dist coverage bench/results .reports

$(INSTALLED): package-lock.json
	npm ci
	@touch $@
