import { describe, expect, it } from 'vitest'
import { parseReference } from '../../src/oci/reference.ts'
import { makeSandbox, ownFile, type Sandbox } from './sandbox.ts'

const system = 'etc/containers/registries.conf'
const user = 'home/.config/containers/registries.conf'
const dropIn = (name: string) => `etc/containers/registries.conf.d/${name}.conf`

async function settingsFor(sandbox: Sandbox, reference: string, env: Record<string, string> = {}) {
  return (await sandbox.open({ env })).settingsFor(parseReference(reference))
}

describe('a registries.conf', () => {
  it('tells of mirrors, of moved and of blocked registries, and where that stands', async () => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(
      system,
      `
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io/library"
location = "moved.test/hub"
insecure = true
[[registry.mirror]]
location = "mirror.test:5000/lib"
insecure = true
[[registry.mirror]]
location = "second.test"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "third.test/x"
pull-from-mirror = "tag-only"
[[registry]]
location = "bad.test/team"
blocked = true
[aliases]
"x" = "docker.io/x"
`,
    )
    const at = (key: string, prefix = 'docker.io/library') => `${key} of ${prefix} in ${file}`
    const unsafe = { value: true, origin: at('insecure') }
    expect(await settingsFor(sandbox, 'docker.io/library/alpine:3')).toEqual({
      mirrors: {
        origin: at('mirror'),
        value: [
          {
            registry: 'mirror.test:5000',
            repository: 'lib/alpine',
            tag: '3',
            pullFrom: 'all',
            unsafe: { value: true, origin: at('insecure of a mirror') },
          },
          { registry: 'second.test', repository: 'alpine', tag: '3', pullFrom: 'digests' },
          { registry: 'third.test', repository: 'x/alpine', tag: '3', pullFrom: 'tags' },
        ],
      },
      location: {
        origin: at('location'),
        value: {
          registry: 'moved.test',
          repository: 'hub/alpine',
          tag: '3',
          unsafe: { value: true, origin: at('insecure of a location') },
        },
      },
      insecure: unsafe,
      plainHttp: { ...unsafe, value: 'unless-tls' },
    })
    expect(await settingsFor(sandbox, 'bad.test/team/app:1')).toEqual({
      blocked: { value: true, origin: at('blocked', 'bad.test/team') },
    })
    expect(await settingsFor(sandbox, 'bad.test/teams/app:1')).toEqual({})
  })

  it.each([
    '"registry" = [{ location = "a.test", blocked = true }]',
    '[[ registry ]]\nlocation = "a.test"\nblocked = true',
    "registries = { block = { registries = ['a.test'] } }",
    "['registries'.block]\nregistries = ['a.test']",
    "registries.block.registries = ['a.test']",
  ])('may be written in any way that TOML knows: %j', async text => {
    await using sandbox = await makeSandbox()
    await sandbox.write(system, `# A comment.\n${text}\n`)
    expect(await settingsFor(sandbox, 'a.test/app:1')).toMatchObject({ blocked: { value: true } })
  })

  it('that lists short names only is not looked into', async () => {
    await using sandbox = await makeSandbox()
    const names =
      '[aliases]\n"registry" = "docker.io/library/registry"\n"registry.a/b" = "x"\n# [[registry]]\n'
    await sandbox.write(dropIn('shortnames'), `${names}malformed [\n`)
    expect(await settingsFor(sandbox, 'a.test/app:1')).toEqual({})
  })

  it('is read at once, however many empty lines it has', async () => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(system, `${'\n'.repeat(200_000)}short-name-mode = "permissive"\n`)
    expect((await sandbox.open({})).files).toEqual([file])
  })

  it('of which the longest prefix counts, alone', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(
      system,
      `
[[registry]]
prefix = "*.example.com"
insecure = true
[[registry]]
location = "a.example.com"
blocked = true
[[registry]]
location = "a.example.com/app:good"
`,
    )
    expect(await settingsFor(sandbox, 'b.example.com/app:1')).toMatchObject({ insecure: { value: true } })
    const blocked = await settingsFor(sandbox, 'a.example.com/app:1')
    expect(blocked).toMatchObject({ blocked: { value: true }, insecure: undefined })
    expect(await settingsFor(sandbox, 'a.example.com/app:good')).toEqual({})
  })

  it('may take its mirrors for what is asked for by digest only', async () => {
    await using sandbox = await makeSandbox()
    const text =
      '[[registry]]\nlocation = "a.test"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"\n'
    await sandbox.write(system, text)
    const { mirrors } = await settingsFor(sandbox, 'a.test/app:1')
    expect(mirrors?.value).toMatchObject([{ registry: 'm.test', pullFrom: 'digests' }])
  })

  it('of version 1 tells of insecure and blocked registries', async () => {
    await using sandbox = await makeSandbox()
    const text =
      "[registries.search]\nregistries = ['docker.io']\n[registries.insecure]\nregistries = ['a.test', 'b.test']\n[registries.block]\nregistries = ['b.test']\n"
    await sandbox.write(system, text)
    expect(await settingsFor(sandbox, 'a.test/app:1')).toMatchObject({
      plainHttp: { value: 'unless-tls' },
      blocked: undefined,
    })
    expect(await settingsFor(sandbox, 'b.test/app:1')).toMatchObject({
      insecure: { value: true },
      blocked: { value: true },
    })
  })

  it("is the user's, else the system's, or one that is named, and drop-ins replace what it says", async () => {
    await using sandbox = await makeSandbox()
    const entry = (location: string, mirror: string) =>
      `[[registry]]\nlocation = "${location}"\n[[registry.mirror]]\nlocation = "${mirror}"\n`
    const mirrorOf = async (registry: string, env?: Record<string, string>) =>
      (await settingsFor(sandbox, `${registry}/app:1`, env)).mirrors?.value[0]?.registry
    await sandbox.write(system, entry('a.test', 'system.test') + entry('s.test', 'system.test'))
    expect(await mirrorOf('a.test')).toBe('system.test')
    await sandbox.write(user, entry('a.test', 'user.test'))
    expect([await mirrorOf('a.test'), await mirrorOf('s.test')]).toEqual(['user.test', undefined])
    const named = await sandbox.write('named.conf', entry('a.test', 'named.test'))
    expect(await mirrorOf('a.test', { CONTAINERS_REGISTRIES_CONF: named })).toBe('named.test')
    expect(await mirrorOf('a.test', { CONTAINERS_REGISTRIES_CONF: '/dev/null' })).toBeUndefined()
    await sandbox.write(dropIn('20'), entry('a.test', 'twenty.test'))
    await sandbox.write(dropIn('10'), entry('a.test', 'ten.test'))
    await sandbox.write('etc/containers/registries.conf.d/30.txt', 'neither [ TOML')
    expect(await mirrorOf('a.test')).toBe('twenty.test')
    await sandbox.write(`${user}.d/05.conf`, entry('a.test', 'five.test'))
    expect(await mirrorOf('a.test')).toBe('five.test')
  })

  it.each<[string, string]>([
    ['[[registry]]\nlocation = \n', ', line 2, column 12: not valid TOML ('],
    ['[[registry]]\nlocation = 3\n', ': registry[0].location: it must be a text'],
    ['registry = 3\n', ': registry: it must be a list'],
    ['[[registry]]\ninsecure = true\n', ': a [[registry]] has neither a prefix nor a location'],
    ['[[registry]]\nlocation = "a b"\n', ': invalid reference "a b"'],
    [
      '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\ninsecure = true\n',
      ': registry[0].mirror[0].location: ',
    ],
    [
      '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "x"\n',
      ': registry[0].mirror[0].pull-from-mirror: it must be one of ',
    ],
  ])('that is malformed is refused: %j', async (text, what) => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(dropIn('10'), text)
    const refusal = await sandbox.open().catch(error => error)
    expect(refusal).toMatchObject({ code: 'USAGE' })
    expect(refusal.message).toContain(`${file}${what}`)
  })

  it('must be there when it is named', async () => {
    await using sandbox = await makeSandbox()
    const opening = settingsFor(sandbox, 'a.test/app:1', { CONTAINERS_REGISTRIES_CONF: '/nowhere/r.conf' })
    await expect(opening).rejects.toMatchObject({ code: 'IO' })
  })

  it('of the system is not looked for on Windows', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(system, '[[registry]]\nlocation = "a.test"\nblocked = true\n')
    const config = await sandbox.open({ platform: 'win32' })
    expect(config.settingsFor({ registry: 'a.test' })).toEqual({})
  })
})

describe("dray's own configuration is stronger", () => {
  const conf = `
[[registry]]
location = "a.test"
insecure = true
blocked = true
[[registry.mirror]]
location = "m.test"
insecure = true
`
  it.each<[string, object]>([
    ['{}', { insecure: { value: true }, plainHttp: { value: 'unless-tls' }, blocked: { value: true } }],
    ['{blocked: false}', { blocked: { value: false }, mirrors: { value: [{ registry: 'm.test' }] } }],
    ['{mirrors: []}', { mirrors: { value: [] }, blocked: { value: true } }],
    ['{insecure: false}', { insecure: { value: false }, plainHttp: undefined }],
    ['{insecure: true}', { insecure: { value: true }, plainHttp: undefined }],
    ['{plainHttp: false}', { insecure: { value: true }, plainHttp: { value: false } }],
  ])('key by key: %s', async (own, expected) => {
    await using sandbox = await makeSandbox()
    await sandbox.write(system, conf)
    await sandbox.write(ownFile, `registries: {a.test: ${own}}`)
    expect(await settingsFor(sandbox, 'a.test/app:1')).toMatchObject(expected)
  })

  it('for a mirror under its own name, save for the scheme that it is listed with', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(system, conf)
    await sandbox.write(
      ownFile,
      'registries: {m.test: {insecure: false}, b.test: {mirrors: ["https://n.test"]}, n.test: {plainHttp: true, jobs: 2}}',
    )
    const config = await sandbox.open()
    const met = (name: string) => {
      const [mirror] = config.settingsFor(parseReference(name)).mirrors?.value ?? []
      return config.settingsFor(mirror ?? expect.fail('no mirror'))
    }
    expect(met('a.test/app')).toMatchObject({ insecure: { value: false }, plainHttp: undefined })
    expect(met('b.test/app')).toMatchObject({ plainHttp: { value: false }, jobs: { value: 2 } })
  })
})
