import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { createTransport } from '../../src/http/send.ts'
import { Registry } from '../../src/registry/registry.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { imageStoreContract } from '../support/image-store-contract.ts'
import { requirePeers } from '../support/peers.ts'

describe('the embedded registry', () => repositoryContract('its repository', startEmbeddedRegistry))

describe.skipIf(!requirePeers('docker-registry'))('docker-registry', () =>
  repositoryContract('its repository', startDockerRegistry),
)

/** Each test gets a repository of its own, in one registry for all. */
function repositoryContract(name: string, start: () => Promise<AsyncDisposable & { readonly host: string }>) {
  let registry: AsyncDisposable & { readonly host: string }
  beforeAll(async () => {
    registry = await start()
  })
  afterAll(() => registry[Symbol.asyncDispose]())

  imageStoreContract(name, async () => {
    const transport = createTransport()
    const client = new Registry({ registry: registry.host, send: transport.send })
    return {
      store: client.repository(`test/${randomUUID()}`, 'pull,push'),
      dispose: () => transport.close(),
    }
  })
}
