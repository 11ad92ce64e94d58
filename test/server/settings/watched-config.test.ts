import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ServerOptions } from '../../../src/server/server.ts'
import { watchServeConfig } from '../../../src/server/settings/watched-config.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const users = { check: async () => true }
const pullOf = (name: string, user = 'ann') =>
  `rules: [{ repositories: [${name}], allow: [pull], users: [${user}] }]\n`

/** A registry with the rules of a file, which `write` changes. */
async function open(text: string, auth: ServerOptions['auth'] = { kind: 'basic', users }) {
  await using opened = new AsyncDisposableStack()
  const folder = opened.use(await makeTempDir())
  const file = join(folder.path, 'serve.yaml')
  await writeFile(file, text)
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message.replaceAll(`${folder.path}/`, ''))
  const { config, access } = await watchServeConfig(file, '/', onWarning)
  const registry = opened.use(await startEmbeddedRegistry({ auth, access, onWarning }))
  const Authorization = `Basic ${Buffer.from('ann:any').toString('base64')}`
  const moved = opened.move()
  return {
    config,
    warnings,
    registry,
    status: async (name: string) =>
      (await registry.ask('GET', `/v2/${name}/tags/list`, { headers: { Authorization } })).status,
    async write(next: string) {
      await writeFile(file, next)
      // Again, since a fault is told of once.
      for (let time = 0; time < 3; time += 1) await registry.server.reload()
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

const kept = '; what was read before goes on to count'

describe('the rules of a configuration file that changes', () => {
  it('count from then on, and their groups', async () => {
    await using opened = await open(pullOf('a'))
    expect([await opened.status('a'), await opened.status('b')]).toEqual([404, 403])
    await opened.write(pullOf('b'))
    expect([await opened.status('a'), await opened.status('b')]).toEqual([403, 404])
    const inGroup = (user: string) =>
      `groups: { devs: [${user}] }\nrules: [{ repositories: [a], allow: [pull], groups: [devs] }]`
    await opened.write(inGroup('bob'))
    expect(await opened.status('a')).toBe(403)
    await opened.write(inGroup('ann'))
    expect(await opened.status('a')).toBe(404)
    expect(opened.warnings).toEqual([])
  })

  it('count where there were none', async () => {
    await using opened = await open('')
    expect(await opened.status('b')).toBe(404)
    await opened.write(pullOf('a'))
    expect([await opened.status('a'), await opened.status('b')]).toEqual([404, 403])
  })

  it.each([
    ['are gone', '', 'serve.yaml: to serve without rules takes a new start'],
    ['are no YAML', 'rules: [', expect.stringMatching(/^serve\.yaml, line 1, column 9: not valid YAML/)],
    [
      'make no sense',
      pullOf('A'),
      expect.stringMatching(/^serve\.yaml, line 1: rules\[0\]: "A" is no pattern/),
    ],
  ])('stay as they were where the new ones %s', async (_, text, reason) => {
    await using opened = await open(pullOf('a'))
    await opened.write(text)
    expect([await opened.status('a'), await opened.status('b')]).toEqual([404, 403])
    expect(opened.warnings.map(warning => warning.replace(kept, ''))).toEqual([reason])
    await opened.write(pullOf('b'))
    expect([await opened.status('a'), await opened.status('b')]).toEqual([403, 404])
    expect(opened.warnings).toHaveLength(1)
  })

  it('stay none where they contradict what else was said', async () => {
    await using opened = await open('', { kind: 'basic', users, anonymousPull: true })
    await opened.write(pullOf('a'))
    expect(await opened.status('b')).toBe(404)
    expect(opened.warnings).toEqual([
      `where there are rules, they say what anybody may pull, and anonymousPull cannot${kept}`,
    ])
  })

  it('count alone: of all other changes it is said that they wait', async () => {
    await using opened = await open(`address: a:1\nreadOnly: true\n${pullOf('a')}`)
    expect(opened.config).toMatchObject({ address: 'a:1', readOnly: true })
    await opened.write(`address: a:2\nlog: json\nreadOnly: true\n${pullOf('b')}`)
    expect(await opened.status('b')).toBe(404)
    expect(opened.warnings).toEqual(['serve.yaml: what has changed of address, log takes a new start'])
  })
})
