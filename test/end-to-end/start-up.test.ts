import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray } from './dray.ts'

/** Told by Node itself, so that a bundle cannot hide what it loads later: its own modules, and files by `require`. */
const watch = `
const v8 = require('node:v8')
const { setFlagsFromString } = v8
let before
v8.setFlagsFromString = flag => {
  before ??= process.moduleLoadList.length
  setFlagsFromString(flag)
}
process.on('exit', () => {
  const named = list => list.flatMap(name => (name.startsWith('NativeModule ') ? [name.slice(13)] : []))
  const builtin = named(process.moduleLoadList)
  const afterFlags = named(process.moduleLoadList.slice(before ?? Infinity))
  const files = Object.keys(require.cache).map(path => path.split(/[\\\\/]/).pop())
  require('node:fs').writeSync(2, '\\nloaded ' + JSON.stringify({ builtin, afterFlags, files }) + '\\n')
})`

interface Loaded {
  readonly builtin: readonly string[]
  /** Those of `builtin` that were loaded after a flag of V8 was changed, when it refuses the code compiled for them. */
  readonly afterFlags: readonly string[]
  readonly files: readonly string[]
}

/** What a command loads until it ends. */
async function loadedBy(...args: string[]): Promise<Loaded> {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'watch.cjs')
  await writeFile(file, watch)
  const { stderr, code } = await dray(args, { env: { NODE_OPTIONS: `--require=${file}` } })
  expect(code).toBe(0)
  return JSON.parse(/^loaded (.*)$/m.exec(stderr)?.[1] ?? '')
}

it('the version is printed without loading the program', async () => {
  const { files, builtin } = await loadedBy('version')
  expect(files).toContain('package.json')
  expect(files).not.toContain('load-program.js')
  expect(builtin).not.toContain('crypto')
})

it('a verb on a folder loads nothing of the network', async () => {
  const { files, builtin } = await loadedBy('digest', `oci:${fixturePath('hello')}:1.0`)
  expect(files).toContain('load-program.js')
  for (const name of ['http', 'https', 'http2', 'tls', 'zlib', 'worker_threads']) {
    expect(builtin).not.toContain(name)
  }
})

it("a request over plain HTTP loads nothing of Node's own HTTP, TLS, fetch, streams of files or timing", async () => {
  await using registry = await startEmbeddedRegistry()
  await dray(['copy', '--quiet', `oci:${fixturePath('hello')}:1.0`, `${registry.host}/hello:1.0`])
  const { builtin, afterFlags } = await loadedBy('digest', `${registry.host}/hello:1.0`)
  expect(builtin).toContain('net')
  expect(afterFlags).toEqual([])
  for (const name of ['http', 'tls', 'http2', 'zlib', 'internal/deps/undici/undici', 'worker_threads']) {
    expect(builtin).not.toContain(name)
  }
  for (const name of ['internal/fs/streams', 'perf_hooks']) expect(builtin).not.toContain(name)
})

it('the program holds no maker of JSON Schemas, and loads one when it is asked for one', async () => {
  const program = await readFile(join(import.meta.dirname, '../../dist/cli/main.cjs'), 'utf8')
  expect(program).not.toContain('json-schema.org')
  const { files } = await loadedBy('serve', '--print-config-schema')
  expect(files).toContain('to-json-schema.cjs')
  expect((await loadedBy('serve', '--help')).files).not.toContain('to-json-schema.cjs')
})
