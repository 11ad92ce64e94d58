import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fixturePath } from '../support/fixtures.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray } from './dray.ts'

/** Told of by Node's own hooks, so that a bundle cannot hide what it loads later. */
const hooks = `
import { registerHooks } from 'node:module'
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) process.stderr.write('loaded ' + url.split('/').pop() + '\\n')
    return next(url, context)
  },
})`

/** The names of the files that a command loads, without the hashes that the bundler gives them. */
async function loadedBy(...args: string[]): Promise<string[]> {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'hooks.mjs')
  await writeFile(file, hooks)
  const { stderr } = await dray(args, { env: { NODE_OPTIONS: `--import=${file}` } })
  return [...stderr.matchAll(/^loaded (.+?)(?:-[A-Z0-9]{8})?\.js$/gm)].map(match => match[1] ?? '')
}

it('the version is printed without loading the command line or the network', async () => {
  const loaded = await loadedBy('version')
  expect(loaded).toContain('main')
  expect(loaded.filter(name => name !== 'chunk')).toEqual(['dray', 'main'])
})

it('a verb loads itself alone, and no network where there is no request', async () => {
  const loaded = await loadedBy('digest', `oci:${fixturePath('hello')}:1.0`)
  expect(loaded.filter(name => name !== 'chunk')).toEqual(['dray', 'main', 'program', 'digest', 'layout'])
})
