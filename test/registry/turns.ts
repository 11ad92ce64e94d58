import { expect } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import type { RegistryEvent } from '../../src/registry/context.ts'
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { type FakeAnswer, type FakeSend, fakeSend, type SeenRequest } from '../support/fake-send.ts'

/** A request as it must come, and what is answered: method and URL, `Authorization`, answer. */
export type Turn = readonly [line: string, authorization: string | undefined, answer: FakeAnswer]

/** Our client for hosts of any name that play a dialogue, and the requests that came; its waits take no time. */
export interface Play {
  readonly registry: Registry
  readonly fake: FakeSend
  readonly clock: FakeClock
  readonly events: readonly RegistryEvent[]
  /** Fails unless all turns came, in their order, and nothing else. */
  expectTold(): void
}

/** Plays turns. Unlike what nock plays, these hold the requests of blobs too, which do not go over undici. */
export function playTurns(
  name: string,
  turns: readonly Turn[],
  options: Partial<RegistryOptions> & { readonly credential?: Credential | undefined } = {},
): Play {
  const { credential, ...registryOptions } = options
  const fake = fakeSend((request: SeenRequest) => {
    const [line, , answer] = turns[fake.requests.length - 1] ?? []
    if (answer === undefined || line !== `${request.method} ${request.url}`) {
      throw new Error(`instead of ${line} came ${request.method} ${request.url}`)
    }
    return answer
  })
  const clock = fakeClock()
  const events: RegistryEvent[] = []
  const registry = new Registry({
    registry: name,
    send: fake.send,
    findCredential: async () => credential,
    clock,
    onEvent: event => events.push(event),
    ...registryOptions,
  })
  const expectTold = () => {
    const told = fake.requests.map(({ method, url, headers }) => [`${method} ${url}`, headers?.authorization])
    expect(told).toEqual(turns.map(([line, authorization]) => [line, authorization]))
  }
  return { registry, fake, clock, events, expectTold }
}
