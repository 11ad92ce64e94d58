import nock from 'nock'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import { createTransport, type Transport } from '../../src/http/send.ts'
import type { RegistryEvent } from '../../src/registry/context.ts'
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts'
import { fakeClock } from '../support/fake-clock.ts'

/** Our client for a registry that nock plays; its waits take no time. */
export interface Dialogue {
  readonly registry: Registry
  readonly events: readonly RegistryEvent[]
}

/**
 * Lets a file of tests talk to registries of any name, played by nock. After each test everything that nock was told
 * to answer must have been asked for.
 */
export function useDialogues(): (
  registry: string,
  credential?: Credential,
  options?: Partial<RegistryOptions>,
) => Dialogue {
  const transports: Transport[] = []
  beforeAll(() => {
    nock.disableNetConnect()
  })
  afterEach(async () => {
    await Promise.all(transports.splice(0).map(transport => transport.close()))
    const pending = nock.pendingMocks()
    nock.cleanAll()
    expect(pending).toEqual([])
  })
  afterAll(() => {
    nock.enableNetConnect()
    nock.restore()
  })
  return (name, credential, options) => {
    const transport = createTransport()
    transports.push(transport)
    const events: RegistryEvent[] = []
    const registry = new Registry({
      registry: name,
      send: transport.send,
      findCredential: async () => credential,
      clock: fakeClock(),
      onEvent: event => events.push(event),
      ...options,
    })
    return { registry, events }
  }
}
