import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectEngine, type Engine } from '../../src/docker-daemon/engine.ts'
import { readEngineTls } from '../../src/docker-daemon/engine-tls.ts'
import type { Chunks } from '../../src/flow.ts'
import { archiveOf, imageFiles } from '../docker-archive/sample-archive.ts'
import { makeAuthority } from '../support/certificates.ts'
import {
  type DockerEngine,
  type DockerEngineOptions,
  type EngineScript,
  startDockerEngine,
} from '../support/docker-engine.ts'
import { requirePeers } from '../support/peers.ts'
import { chunksOf } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { bytesOf } from '../tar/sample-tar.ts'

let folder: TempDir
let running: DockerEngine | undefined
beforeEach(async () => {
  folder = await makeTempDir()
})
afterEach(async () => {
  await running?.[Symbol.asyncDispose]()
  running = undefined
  await folder.remove()
})

async function startEngine(options: DockerEngineOptions = {}): Promise<DockerEngine> {
  running = await startDockerEngine(options)
  return running
}

async function connected(options: DockerEngineOptions = {}): Promise<Engine> {
  return connectEngine([(await startEngine(options)).host])
}

const lines = () => running?.questions.map(({ line }) => line)

describe('connecting', () => {
  it.each([
    ['1.41', '1.41'],
    ['1.24', '1.24'],
    ['1.99', '1.51'],
    ['2.0', '1.51'],
    ['', '1.30'],
  ])('to an engine of API %j speaks %s', async (apiVersion, spoken) => {
    const engine = await connected({ apiVersion })
    expect(engine.version).toBe(spoken)
    await engine.findImage('hello:1.0')
    expect(lines()?.at(-1)).toBe(`GET /v${spoken}/images/hello:1.0/json`)
  })

  it('asks once, and sends no credential', async () => {
    await connected()
    expect(lines()).toEqual(['GET /_ping'])
    expect(Object.keys(running?.questions[0]?.headers ?? {}).sort()).toEqual(['connection', 'host'])
  })

  it('takes the first engine that answers', async () => {
    const { host } = await startEngine()
    await writeFile(join(folder.path, 'file'), '')
    const engine = await connectEngine([
      `unix://${folder.path}/absent.sock`,
      `unix://${folder.path}/file`,
      `unix://${folder.path}/file/below.sock`,
      host,
    ])
    expect(engine.name).toBe(host)
  })

  it('to none says where it has looked, and what to do', async () => {
    await expect(connectEngine(['unix:///absent/a.sock', 'unix:///absent/b.sock'])).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringMatching(/a\.sock: no engine listens there; .*b\.sock: no engine listens there/),
      hint: expect.stringContaining('DOCKER_HOST'),
    })
  })

  it.skipIf(process.getuid?.() === 0)('to one whose socket is not for the user says so', async () => {
    const { host } = await startEngine()
    await chmod(host.replace('unix://', ''), 0)
    await expect(connectEngine(['unix:///absent/a.sock', host])).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('permission denied'),
    })
  })

  it.each([
    ['REGISTRY', 500],
    ['NOT_FOUND', 404],
    ['UNAUTHORIZED', 403],
  ])('fails with %s where /_ping is answered with %i', async (code, status) => {
    const script: EngineScript = (_, response) => {
      response.writeHead(status).end('<html>')
      return true
    }
    await expect(connected({ script })).rejects.toMatchObject({ code, status })
  })

  it('refuses a version that is none', async () => {
    await expect(connected({ apiVersion: '../../x' })).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('gives up when the engine is silent', async () => {
    const { host } = await startEngine({ script: () => true })
    await expect(connectEngine([host], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  it('ends when the signal fires, and at once when it has fired', async () => {
    const controller = new AbortController()
    const script = () => {
      controller.abort()
      return true
    }
    const { host } = await startEngine({ script })
    const { signal } = controller
    await expect(connectEngine([host], { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(connectEngine([host], { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(lines()).toHaveLength(1)
  })

  it('works over TCP', async () => {
    const engine = await connected({ tcp: true })
    expect(engine.name).toMatch(/^tcp:\/\/127\.0\.0\.1:/)
    expect(await engine.findImage('absent')).toBeUndefined()
  })
})

describe.skipIf(!requirePeers('openssl'))('over TLS', () => {
  it('is reached with the certificates of a folder, and not without', async () => {
    const authority = await makeAuthority(folder.path)
    const server = await authority.issue('server', { usage: 'server' })
    const client = await authority.issue('client', { usage: 'client' })
    const certificates = join(folder.path, 'certificates')
    await mkdir(certificates)
    const files = { 'ca.pem': authority.certificate, 'cert.pem': client.certificate, 'key.pem': client.key }
    for (const [name, from] of Object.entries(files))
      await writeFile(join(certificates, name), await readFile(from))
    const text = async (path: string) => readFile(path, 'utf8')
    const ca = await text(authority.certificate)
    const tls = { cert: await text(server.certificate), key: await text(server.key), ca }
    const { host } = await startEngine({ tls })

    const engine = await connectEngine([host], { tls: await readEngineTls(certificates, true) })
    expect(engine.version).toBe('1.41')
    await expect(connectEngine([host], { tls: {} })).rejects.toMatchObject({ code: 'NETWORK' })
    await expect(connectEngine([host], { tls: { ca } })).rejects.toMatchObject({ code: 'NETWORK' })
    await expect(connectEngine([host])).rejects.toMatchObject({ name: 'DrayError' })
  })
})

describe('an image', () => {
  it.each([
    ['hello', 'hello:latest'],
    ['hello:1.0', 'hello:1.0'],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    [`hello@sha256:${'a'.repeat(64)}`, `hello@sha256:${'a'.repeat(64)}`],
    [`sha256:${'a'.repeat(64)}`, `sha256:${'a'.repeat(64)}`],
    ['aaaaaaaaaaaa', 'aaaaaaaaaaaa'],
  ])('%s is asked for as %s', async (image, path) => {
    const engine = await connected()
    expect(await engine.findImage(image)).toBeUndefined()
    expect(lines()?.at(-1)).toBe(`GET /v1.41/images/${path}/json`)
  })

  it.each(['', '../x', 'a b', 'UPPER', 'x/../../containers', 'a?b', 'a#b', 'a\r\nb'])(
    'is not %j, which is not sent',
    async image => {
      const engine = await connected()
      await expect(engine.findImage(image)).rejects.toMatchObject({ code: 'INVALID_REFERENCE' })
      await expect(engine.save(image)).rejects.toMatchObject({ code: 'INVALID_REFERENCE' })
      expect(lines()).toHaveLength(1)
    },
  )

  it('that is there has an ID, and a manifest where the engine keeps them', async () => {
    const engine = await connected()
    running?.archives.set('hello:1.0', await archiveOf(imageFiles(['layer'])))
    const descriptor = { mediaType: 'a/b', digest: `sha256:${'a'.repeat(64)}`, size: 7 }
    expect(await engine.findImage('hello:1.0')).toMatchObject({ descriptor: undefined })
    running?.told.set('hello:1.0', { Id: 'sha256:1', Descriptor: descriptor })
    expect(await engine.findImage('hello:1.0')).toEqual({ id: 'sha256:1', descriptor })
  })

  it.each([
    ['no JSON', 'INTEGRITY', 'none'],
    ['no ID', 'INTEGRITY', '{}'],
    ['a document without end', 'INTEGRITY', ' '.repeat(17 * 1024 * 1024)],
  ])('of which the engine tells %s is refused', async (_, code, body) => {
    const script: EngineScript = ({ url }, response) => {
      if (url === '/_ping') return false
      response.end(body)
      return true
    }
    const engine = await connected({ script })
    await expect(engine.findImage('hello')).rejects.toMatchObject({ code })
  })

  it('that is not there cannot be saved', async () => {
    const engine = await connected()
    await expect(engine.save('absent')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      message: expect.stringContaining('"No such image: absent:latest"'),
    })
  })

  it('is cut off when the engine breaks off', async () => {
    const script: EngineScript = ({ url }, response) => {
      if (url === '/_ping') return false
      response.writeHead(200, { 'Content-Length': '1000' })
      response.write('some', () => response.destroy())
      return true
    }
    const engine = await connected({ script })
    await expect(bytesOf(await engine.save('hello'))).rejects.toMatchObject({ code: 'NETWORK' })
  })
})

describe('loading', () => {
  const load = (engine: Engine, content: Chunks = chunksOf('an archive')) => engine.load(content)
  const answering =
    (status: number, ...pieces: string[]): EngineScript =>
    async (request, response) => {
      if (request.url === '/_ping') return false
      for await (const _ of request);
      response.writeHead(status, { 'Content-Type': 'application/json' })
      for (const piece of pieces) response.write(piece)
      response.end()
      return true
    }

  it('sends the archive as it flows', async () => {
    const engine = await connected()
    const archive = await archiveOf(imageFiles(['layer']))
    await load(engine, chunksOf(archive.subarray(0, 700), archive.subarray(700)))
    const question = running?.questions.at(-1)
    expect(question?.line).toBe('POST /v1.41/images/load')
    expect(question?.headers).toMatchObject({
      'content-type': 'application/x-tar',
      'transfer-encoding': 'chunked',
    })
    expect(question?.body.equals(archive)).toBe(true)
  })

  it('is done when the engine tells no error', async () => {
    const engine = await connected({
      script: answering(200, '{"status":"Load', 'ing"}\r\n{"stream":"Loaded"}\n'),
    })
    await load(engine)
  })

  it.each([
    ['{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}'],
    ['{"status":"a"}\n{"error":"unexpected', ' EOF"}\r\n{"status":"b"}\n'],
  ])('fails where the engine tells an error: %s', async (...pieces) => {
    const engine = await connected({ script: answering(200, ...pieces) })
    await expect(load(engine)).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining('cannot load images: "unexpected EOF"'),
    })
  })

  it.each([
    ['what is no JSON', '<html>'],
    ['a line without end', `"${'a'.repeat(2 * 1024 * 1024)}"`],
  ])('fails where the engine tells %s', async (_, body) => {
    const engine = await connected({ script: answering(200, body) })
    await expect(load(engine)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('fails with the engine’s words where it answers with a status', async () => {
    const engine = await connected({ script: answering(500, '{"message":"no \\u001b[31mspace"}') })
    await expect(load(engine)).rejects.toMatchObject({
      code: 'REGISTRY',
      status: 500,
      message: expect.stringContaining('"no \\u{1b}[31mspace"'),
    })
  })

  it('ends with what the content fails with', async () => {
    const engine = await connected()
    await expect(load(engine, broken())).rejects.toThrow('the source broke off')
  })

  it('takes the answer of an engine that does not read to the end', async () => {
    const script: EngineScript = ({ url }, response) => {
      if (url === '/_ping') return false
      response.writeHead(403).end('{"message":"not here"}')
      return true
    }
    const engine = await connected({ script })
    await expect(load(engine, endless())).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('not here'),
    })
  })

  it('ends when the signal fires, also while the content stalls', async () => {
    const controller = new AbortController()
    const { host } = await startEngine()
    const engine = await connectEngine([host], { signal: controller.signal })
    await expect(
      load(
        engine,
        stalling(() => controller.abort()),
      ),
    ).rejects.toMatchObject({ code: 'ABORTED' })
  })

  async function* broken(): Chunks {
    yield Buffer.from('some')
    throw new Error('the source broke off')
  }

  async function* endless(): Chunks {
    for (;;) yield Buffer.alloc(65536)
  }

  async function* stalling(onStall: () => void): Chunks {
    yield Buffer.from('some')
    onStall()
    await new Promise(() => {})
  }
})
