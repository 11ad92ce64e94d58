#!/usr/bin/env node
'use strict'
// CommonJS, like the built program in one file: Node starts it with half the work that modules would be.
const { existsSync } = require('node:fs')
const { join } = require('node:path')

const program = join(__dirname, '../dist/cli/main.cjs')
const args = process.argv.slice(2)
if (args.length === 1 && ['version', '--version', '-V'].includes(args[0])) {
  // Whoever closes the pipe has read enough.
  process.stdout.on('error', () => {})
  process.stdout.write(`${require('../package.json').version}\n`)
} else if (existsSync(program)) {
  require('./load-program.js').loadProgram(program, args).main()
} else {
  process.stderr.write('dray: the program is not built\nhint: npm ci && npm run build\n')
  process.exitCode = 1
}
