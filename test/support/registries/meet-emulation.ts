import { once } from 'node:events'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { startEmbeddedRegistry } from '../embedded-registry.ts'
import { type LoopbackServer, startLoopback } from '../loopback.ts'
import { sampleImage } from '../sample-image.ts'
import type { Emulate } from './emulation.ts'

/** What its repository holds at first: `image` as `one` and `same`, `other` as `two`. */
export const image = sampleImage('one')
export const other = sampleImage('two')

/** An emulation, asked over real connections, without TLS. */
export interface Met extends AsyncDisposable {
  /** `GET https://host/path`. */
  ask(line: string, headers?: OutgoingHttpHeaders, body?: string | Uint8Array): Promise<Reply>
  /** A token of the host that gives them out, as a header. */
  login(url: string, anonymous?: 'anonymous'): Promise<OutgoingHttpHeaders>
  readonly basic: OutgoingHttpHeaders
  readonly repository: string
}

/** What it answers. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Starts one: `await using met = await meetEmulation(ghcr)`. */
export async function meetEmulation(emulate: Emulate): Promise<Met> {
  const store = await startEmbeddedRegistry()
  const { hosts, repository, credential } = emulate(store)
  for (const tag of ['one', 'same']) await store.putImage(repository, image, tag)
  await store.putImage(repository, other, 'two')
  const servers = new Map<string, LoopbackServer>()
  for (const [host, listener] of Object.entries(hosts)) servers.set(host, await startLoopback(listener))
  const ask: Met['ask'] = async (line, headers = {}, body) => {
    const [method, url = ''] = line.split(' ')
    const { host } = new URL(url)
    const [hostname, port] = servers.get(host)?.host.split(':') ?? []
    const path = url.slice(url.indexOf(host) + host.length)
    const given = Object.entries({ 'user-agent': 'a-test', host, ...headers })
    const sent = Object.fromEntries(given.filter(([, value]) => value !== undefined))
    const outgoing = request({ hostname, port, method, path, headers: sent })
    outgoing.end(body)
    const [incoming] = await once(outgoing, 'response')
    const text = (await buffer(incoming)).toString('utf8')
    return { status: incoming.statusCode, headers: incoming.headers, text }
  }
  const basic = {
    authorization: `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`,
  }
  return {
    ask,
    basic,
    repository,
    async login(url, anonymous) {
      const { text } = await ask(`GET ${url}`, anonymous === undefined ? basic : {})
      return { authorization: `Bearer ${JSON.parse(text).token}` }
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers.values()) await server.stop()
      await store[Symbol.asyncDispose]()
    },
  }
}
