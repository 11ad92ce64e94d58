#!/usr/bin/env node
'use strict'
// CommonJS, as in dray.js.
const { existsSync } = require('node:fs')
const { join } = require('node:path')

const program = join(__dirname, '../dist/cli/docker-credential-dray.cjs')
if (existsSync(program)) {
  require(program).main()
} else {
  // Who speaks to a credential helper reads its errors from stdout.
  process.stdout.write('docker-credential-dray: the program is not built\nhint: npm ci && npm run build\n')
  process.exitCode = 1
}
