import type { Credential } from '../../../src/credential.ts'
import type { ProviderId } from '../../../src/registry/providers/provider.ts'
import { Registry } from '../../../src/registry/registry.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { type FakeAnswer, type FakeSend, fakeSend, json, type SeenRequest } from '../../support/fake-send.ts'

export interface ScriptedOptions {
  readonly registry: string
  readonly credential?: Credential | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** What the registry is said to be. */
  readonly provider?: ProviderId | undefined
  /** Credentials by repository path, instead of one for all. */
  readonly byRepository?: Readonly<Record<string, Credential>> | undefined
}

/** How requests are answered, by `GET https://host/path?query`; the function may look at the request. */
export type Answers = Readonly<Record<string, FakeAnswer | ((request: SeenRequest) => FakeAnswer)>>

/** A registry whose network is a table; what is not in it fails the test. */
export function scriptedRegistry(
  options: ScriptedOptions,
  answers: Answers,
): FakeSend & { registry: Registry } {
  const { registry: name, credential, byRepository, env, provider } = options
  const network = fakeSend(request => {
    const line = `${request.method} ${request.url}`
    const answer = answers[line]
    if (answer === undefined) throw new Error(`no answer for ${line}`)
    return typeof answer === 'function' ? answer(request) : answer
  })
  const registry = new Registry({
    registry: name,
    send: network.send,
    findCredential: async ({ repository = '' }) => byRepository?.[repository] ?? credential,
    clock: fakeClock(),
    retryPolicy: { retries: 0 },
    env,
    provider,
  })
  return Object.assign(network, { registry })
}

/** All that a listing yields; undefined is a provider that has none. */
export async function all<Item>(items: AsyncIterable<Item> | undefined): Promise<Item[]> {
  if (items === undefined) throw new Error('this provider lists nothing')
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Answers of a provider's own API that are no success, and what becomes of them. */
export const refusals: readonly (readonly [string, FakeAnswer, string])[] = [
  ['401', json({ errors: [{ code: 'UNAUTHORIZED', message: 'unauthorized' }] }, 401), 'UNAUTHORIZED'],
  ['403', json({ errors: [{ code: 'FORBIDDEN', message: 'forbidden' }] }, 403), 'UNAUTHORIZED'],
  ['404', json({ errors: [{ code: 'NOT_FOUND', message: 'not there' }] }, 404), 'NOT_FOUND'],
  ['405', { status: 405, body: '<html><title>405 Not Allowed</title></html>' }, 'UNSUPPORTED'],
  ['412', json({ errors: [{ code: 'PRECONDITION', message: 'immutable' }] }, 412), 'REGISTRY'],
  ['429', { status: 429, headers: { 'retry-after': '9999' }, body: 'slow down' }, 'NETWORK'],
  ['500', { status: 500, body: 'oops' }, 'NETWORK'],
]
