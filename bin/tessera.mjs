#!/usr/bin/env node
// `tessera …` where the package is installed or in the image: dist/ is there already.
import '../dist/src/cli/main.js'
