#!/usr/bin/env node
import { existsSync } from 'node:fs'
import module from 'node:module'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  // Node 22.1 and later keep compiled code between runs; older ones start a little slower.
  module.enableCompileCache?.()
  await (await import(main.href)).main()
} else {
  console.error('dray: the program is not built\nhint: npm ci && npm run build')
  process.exitCode = 1
}
