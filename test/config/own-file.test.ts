import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownConfigFile } from '../../src/config/own-file.ts'
import { makeSandbox, ownFile } from './sandbox.ts'

const everything = `
registries:
  docker.io:
    mirrors:
      - mirror.example.com:5000
      - https://mirror2.example.com/hub-cache
      - { location: cache.local/docker, pullFrom: digests }
    jobs: 4
    requestsPerSecond: 0.5
    headers: { X-Team: a }
  ghcr.io/org:
    blocked: true
    provider: harbor
  registry.example:
    plainHttp: false
    insecure: true
    caFile: ~/ca.pem
    certFile: cert.pem
    keyFile: /keys/key.pem
  empty.example:
`

describe("dray's own configuration", () => {
  it('tells all it knows, with where it stands', async () => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(ownFile, everything)
    const config = await sandbox.open()
    const hub = config.settingsFor({ registry: 'docker.io', repository: 'library/alpine', tag: '3' })
    const at = (key: string, name = 'docker.io') => `registries["${name}"].${key} in ${file}`
    const place = { repository: 'library/alpine', tag: '3' }
    const tls = { value: false, origin: at('mirrors') }
    expect(hub).toEqual({
      mirrors: {
        origin: at('mirrors'),
        value: [
          { ...place, registry: 'mirror.example.com:5000', pullFrom: 'all' },
          {
            ...place,
            registry: 'mirror2.example.com',
            repository: 'hub-cache/library/alpine',
            pullFrom: 'all',
            plainHttp: tls,
          },
          { ...place, registry: 'cache.local', repository: 'docker/library/alpine', pullFrom: 'digests' },
        ],
      },
      jobs: { value: 4, origin: at('jobs') },
      requestsPerSecond: { value: 0.5, origin: at('requestsPerSecond') },
      headers: { value: { 'x-team': 'a' }, origin: at('headers') },
    })
    expect(config.settingsFor({ registry: 'ghcr.io', repository: 'org/app' })).toEqual({
      blocked: { value: true, origin: at('blocked', 'ghcr.io/org') },
      provider: { value: 'harbor', origin: at('provider', 'ghcr.io/org') },
    })
    expect(config.settingsFor({ registry: 'ghcr.io', repository: 'other/app' })).toEqual({})
    expect(config.settingsFor({ registry: 'empty.example' })).toEqual({})
    expect(config.settingsFor({ registry: 'registry.example' })).toMatchObject({
      plainHttp: { value: false },
      insecure: { value: true },
      caFile: { value: sandbox.path('home/ca.pem') },
      certFile: { value: sandbox.path('home/.config/dray/cert.pem') },
      keyFile: { value: '/keys/key.pem' },
    })
  })

  it('counts the longest match of each key', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(
      ownFile,
      'registries:\n  "*.example.com": {jobs: 1, insecure: true}\n  a.example.com: {jobs: 2, plainHttp: true}\n  a.example.com/team: {jobs: 3}\n',
    )
    const config = await sandbox.open()
    const told = (registry: string, repository?: string) => {
      const { jobs, insecure, plainHttp } = config.settingsFor({ registry, repository })
      return [jobs?.value, insecure?.value, plainHttp?.value]
    }
    expect(told('a.example.com', 'team/app')).toEqual([3, true, true])
    expect(told('a.example.com', 'teams/app')).toEqual([2, true, true])
    expect(told('b.example.com', 'team/app')).toEqual([1, true, undefined])
    expect(told('example.com', 'team/app')).toEqual([undefined, undefined, undefined])
  })

  it.each<[string, number, string]>([
    [
      'registries:\n  docker.io:\n    mirorrs: []\n',
      3,
      'registries["docker.io"].mirorrs: there is no such key',
    ],
    ['registry: {}\n', 1, 'registry: there is no such key'],
    ['- a\n', 1, 'it must be a map of keys'],
    ['registries: [a]\n', 1, 'registries: it must be a map of keys'],
    ['registries:\n\n  a.b:\n    jobs: many\n', 4, 'registries["a.b"].jobs: it must be a number'],
    ['registries:\n  a.b:\n    jobs: 0\n', 3, 'registries["a.b"].jobs: it must be 1 or more'],
    ['registries:\n  a.b: {jobs: 1001}\n', 2, 'registries["a.b"].jobs: it must be 1000 or less'],
    ['registries:\n  a.b: {caFile: ""}\n', 2, 'registries["a.b"].caFile: it is empty'],
    ['registries:\n  a.b: {jobs: 1.5}\n', 2, 'registries["a.b"].jobs: it must be a whole number'],
    [
      'registries:\n  a.b:\n    requestsPerSecond: 0\n',
      3,
      'registries["a.b"].requestsPerSecond: it must be more than 0',
    ],
    [
      'registries:\n  a.b:\n    plainHttp: "yes"\n',
      3,
      'registries["a.b"].plainHttp: it must be true or false',
    ],
    [
      'registries:\n  a.b:\n    provider: nexus\n',
      3,
      'registries["a.b"].provider: it must be one of docker-hub, ',
    ],
    [
      'registries:\n  a.b:\n    mirrors:\n      - m.c\n      - ftp://x\n',
      5,
      'registries["a.b"].mirrors[1]: invalid ',
    ],
    ['registries:\n  a.b:\n    mirrors: [3]\n', 3, 'registries["a.b"].mirrors[0]: it has the wrong kind'],
    [
      'registries:\n  a.b:\n    mirrors:\n      - location: m.c\n        pull: tags\n',
      5,
      'registries["a.b"].mirrors[0].pull: there is no such key',
    ],
    [
      'registries:\n  a.b:\n    mirrors:\n      - location: m.c\n        pullFrom: tag\n',
      5,
      'registries["a.b"].mirrors[0].pullFrom: it must be one of all, digests, tags',
    ],
    [
      'registries:\n  a.b:\n    headers:\n      X Y: a\n',
      4,
      'registries["a.b"].headers["X Y"]: it has the wrong form',
    ],
    [
      'registries:\n  a.b:\n  dockerhub:\n    jobs: 1\n',
      3,
      'registries.dockerhub: "dockerhub" is no registry',
    ],
    ['registries:\n  "a.b/UP": {}\n', 2, 'registries["a.b/UP"]: invalid name "a.b/UP"'],
    [
      'registries:\n  a.b:\n    certFile: c.pem\n',
      2,
      'registries["a.b"]: certFile and keyFile need each other',
    ],
    ['registries:\n  a.b:\n    username: u\n', 2, 'registries["a.b"]: username needs one of password'],
    ['registries:\n  a.b: {passwordEnv: P}\n', 2, 'registries["a.b"]: username needs one of password'],
    [
      'registries:\n  a.b: {username: u, password: p, passwordEnv: P}\n',
      2,
      'registries["a.b"]: only one of password',
    ],
    ['registries:\n  a.b: {helper: h, identityTokenEnv: T}\n', 2, 'registries["a.b"]: only one of username'],
    ['registries:\n  a.b: {helper: ../h}\n', 2, 'registries["a.b"].helper: it has the wrong form'],
    ['x: &x {jobs: 1}\n', 1, 'x: there is no such key'],
    [
      'registries:\n  a.b: &x {jobs: 1}\n  c.d: *x\n  e.f:\n    jobs: -1\n',
      5,
      'registries["e.f"].jobs: it must be 1 or more',
    ],
  ])('that is wrong is refused with its line: %j', async (text, line, what) => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(ownFile, text)
    const refusal = await sandbox.open().catch(error => error)
    expect(refusal).toMatchObject({ code: 'USAGE' })
    expect(refusal.message).toContain(`${file}, line ${line}: ${what}`)
  })

  it.each<[string, string]>([
    ['registries:\n\ta.b: {}\n', ', line 2, column 1: not valid YAML (tab as indent)'],
    ['registries:\n  a.b: {}\n  a.b: {}\n', ', line 3, column 3: not valid YAML (duplicate key)'],
    ['a: 1\n---\nb: 2\n', ': not valid YAML (multiple docs)'],
    [
      'registries:\n  a.b: {username: u, password: *hunter2}\n',
      ': an alias in it stands for nothing, or for too much',
    ],
    ['registries: !secret\n  a.b: {}\n', ', line 1, column 13: not valid YAML (tag resolve failed)'],
  ])('that is no YAML is refused with its line, and its text is not shown: %j', async (text, what) => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(ownFile, text)
    const refusal = await sandbox.open().catch(error => error)
    expect(refusal).toMatchObject({ code: 'USAGE' })
    expect(refusal.message).toContain(file)
    expect(refusal.message).toContain(what)
    expect(`${refusal.message}${refusal.cause ?? ''}`).not.toContain('hunter2')
  })

  it('that unfolds into too much is refused', async () => {
    await using sandbox = await makeSandbox()
    const lists = [...'bcdefghi'].map(
      (name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[at]}`)}]`,
    )
    await sandbox.write(ownFile, ['a: &a [1]', ...lists].join('\n'))
    await expect(sandbox.open()).rejects.toThrow('an alias in it stands for nothing, or for too much')
    await sandbox.write(ownFile, `#${' '.repeat(1024 * 1024)}`)
    await expect(sandbox.open()).rejects.toThrow('more than 1048576 bytes')
  })

  it.each(['', '# nothing\n', 'registries:\n', '{}', '---\n'])('may say nothing: %j', async text => {
    await using sandbox = await makeSandbox()
    await sandbox.write(ownFile, text)
    expect((await sandbox.open()).settingsFor({ registry: 'docker.io' })).toEqual({})
  })
})

describe('it is looked for', () => {
  const told = async (sandbox: Awaited<ReturnType<typeof makeSandbox>>, env: Record<string, string>) =>
    (await sandbox.open({ env })).settingsFor({ registry: 'a.b' }).jobs?.value
  const text = (jobs: number) => `registries: {a.b: {jobs: ${jobs}}}`

  it('in the file of DRAY_CONFIG alone, which can be empty, and else in the folder of configurations', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(ownFile, text(1))
    await sandbox.write('xdg/dray/config.yaml', text(2))
    const file = await sandbox.write('other.yaml', text(3))
    expect(await told(sandbox, {})).toBe(1)
    expect(await told(sandbox, { XDG_CONFIG_HOME: sandbox.path('xdg') })).toBe(2)
    expect(await told(sandbox, { XDG_CONFIG_HOME: 'relative' })).toBe(1)
    expect(await told(sandbox, { DRAY_CONFIG: file, XDG_CONFIG_HOME: sandbox.path('xdg') })).toBe(3)
    expect(await told(sandbox, { DRAY_CONFIG: '' })).toBe(1)
    expect(await told(sandbox, { DRAY_CONFIG: '/dev/null' })).toBeUndefined()
  })

  it('and must be there when DRAY_CONFIG names it', async () => {
    await using sandbox = await makeSandbox()
    await expect(told(sandbox, { DRAY_CONFIG: '/nowhere/dray.yaml' })).rejects.toMatchObject({
      code: 'IO',
      message: '/nowhere/dray.yaml: there is no such file or folder',
    })
  })

  it('where Windows has such files', () => {
    const context = { homeDir: 'home', platform: 'win32', etcDir: '' } as const
    expect(ownConfigFile({ ...context, env: {} })).toBe(
      join('home', 'AppData', 'Roaming', 'dray', 'config.yaml'),
    )
    expect(ownConfigFile({ ...context, env: { APPDATA: '/roaming' } })).toBe(
      join('/roaming', 'dray', 'config.yaml'),
    )
  })
})
