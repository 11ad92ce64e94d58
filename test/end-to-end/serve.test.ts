import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { startDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'
import { crane, oras, skopeo } from './peers.ts'
import { serve } from './serving.ts'

const layout = fixturePath('hello')
const { digest } = fixtureDescriptor('hello', '1.0')
const password = 'a password:$'

describe.each([
  ['anybody', 'anonymous'],
  ['users with passwords', 'basic'],
  ['users with tokens', 'token'],
])('dray serve for %s', patience, (_, mode) => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let host = ''
  let env: Record<string, string>

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    const path = (name: string) => join(folder.path, name)
    await writeFile(path('users'), `anna:${await hash(password, 4)}\n`)
    const auth = mode === 'anonymous' ? [] : ['--htpasswd', path('users'), '--auth', mode]
    const served = await serve(path('store'), ...auth)
    opened.use(served.running)
    host = served.host
    env = { DOCKER_CONFIG: folder.path, REGISTRY_AUTH_FILE: path('config.json') }
    const login = ['login', '--username', 'anna', '--password-stdin', host]
    await dray(login, { env, input: password })
    await dray(['copy', `oci:${layout}:1.0`, `${host}/dray/hello:1.0`], { env })
  })
  afterAll(() => opened.disposeAsync())

  const source = () => `${host}/dray/hello:1.0`
  const drayReads = async (reference: string) =>
    expect((await dray(['digest', reference], { env })).stdout).toBe(`${digest}\n`)

  it.skipIf(!requirePeers('skopeo'))('takes from skopeo and gives to it', async () => {
    const theirs = `${host}/skopeo/hello:1.0`
    await skopeo(['copy', '--all', `docker://${source()}`, `docker://${theirs}`], { env })
    await drayReads(theirs)
    const pulled = `oci:${folder.path}/skopeo:1.0`
    await skopeo(['copy', '--all', `docker://${source()}`, pulled], { env })
    await skopeo(['copy', '--all', pulled, `docker://${theirs}-again`], { env })
    await drayReads(`${theirs}-again`)
  })

  it.skipIf(!requirePeers('crane'))('takes from crane and gives to it', async () => {
    const theirs = `${host}/crane/hello:1.0`
    await crane(['copy', source(), theirs], { env })
    await drayReads(theirs)
    await crane(['validate', '--remote', theirs], { env })
    expect((await crane(['ls', `${host}/crane/hello`], { env })).stdout).toBe('1.0\n')
    expect((await crane(['catalog', host], { env })).stdout.split('\n')).toContain('crane/hello')
  })

  it.skipIf(!requirePeers('oras'))('takes from oras and gives to it', async () => {
    const theirs = `${host}/oras/hello:1.0`
    await oras(['copy', '--from-oci-layout', '--to-plain-http', `${layout}:1.0`, theirs], { env })
    await drayReads(theirs)
    const pulled = `${folder.path}/oras`
    await oras(['copy', '--from-plain-http', '--to-oci-layout', theirs, `${pulled}:1.0`], { env })
    await drayReads(`oci:${pulled}:1.0`)
    await oras(['repo', 'tags', '--plain-http', `${host}/oras/hello`], { env })
  })

  it.skipIf(!requirePeers('oras'))('tells oras what was attached to an image', async () => {
    const subject = `${host}/attached/hello:1.0`
    await dray(['copy', source(), subject], { env })
    const type = 'application/vnd.example.note'
    await writeFile(join(folder.path, 'note'), 'attached\n')
    const attach = ['attach', '--plain-http', '--artifact-type', type, subject, 'note']
    await oras(attach, { env, cwd: folder.path })
    const { stdout } = await oras(['discover', '--plain-http', '--format', 'json', subject], { env })
    expect(stdout).toContain(type)
  })

  it('deletes a tag and leaves the others', async () => {
    const name = `${host}/deleted/hello`
    await dray(['copy', '-t', 'stays', source(), `${name}:goes`], { env })
    expect((await dray(['delete', `${name}:goes`], { env })).stdout).toBe(`deleted ${name}:goes\n`)
    expect((await dray(['ls', name], { env })).stdout).toBe('stays\n')
    await drayReads(`${name}:stays`)
  })

  it.runIf(mode !== 'anonymous')('refuses those without a password', async () => {
    await drayFails(4, ['ls', `${host}/dray/hello`])
    await drayFails(4, ['login', '-u', 'anna', '--password-stdin', host], { input: 'wrong' })
  })
})

describe('dray serve', patience, () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('ends with exit code 0 on %s, at once', async signal => {
    await using folder = await makeTempDir()
    const { running, host } = await serve(folder.path)
    // A connection that a client keeps open must not hold it up.
    expect((await fetch(`http://${host}/v2/`)).status).toBe(200)
    const start = performance.now()
    running.kill(signal)
    expect(await running.ended).toMatchObject({ code: 0, signal: null })
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('says on stdout where it listens, and logs requests on stderr', async () => {
    await using folder = await makeTempDir()
    const running = await startDray(['serve', folder.path, '--address', '127.0.0.1:0'])
    await using _ = running
    const [, url] = await running.printed(/^serving .* at (http:\/\/127\.0\.0\.1:\d+)\n$/)
    await fetch(`${url}/v2/nothing/tags/list`)
    await running.printed(/^\S+Z 127\.0\.0\.1 - GET \/v2\/nothing\/tags\/list 404 \d+ B \d+ ms "node"\n$/)
    expect(running.stdout).toMatch(/^serving [^\n]+\n$/)
  })

  it('serves a layout that another program filled', async () => {
    await using folder = await makeTempDir()
    await dray(['copy', `oci:${layout}:1.0`, `oci:${folder.path}/team/hello:1.0`])
    const { running, host } = await serve(folder.path, '--read-only')
    await using _ = running
    expect((await dray(['digest', `${host}/team/hello:1.0`])).stdout).toBe(`${digest}\n`)
    const copy = ['copy', '--quiet', '--retries', '0', `oci:${layout}:1.1`, `${host}/team/hello:1.1`]
    expect((await drayFails(1, copy)).length).toBeGreaterThan(0)
    expect((await dray(['ls', `${host}/team/hello`])).stdout).toBe('1.0\n')
  })

  it('says which address is taken', async () => {
    await using folder = await makeTempDir()
    const { running, host } = await serve(folder.path)
    await using _ = running
    expect(await drayFails(1, ['serve', folder.path, '--address', host])).toContain(host)
  })
})
