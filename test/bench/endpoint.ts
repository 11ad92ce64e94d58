import { type DelayProxy, spawnDelayProxy } from '../support/delay-proxy.ts'
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  startDockerRegistry,
} from '../support/docker-registry.ts'

export interface EndpointOptions {
  readonly tls?: DockerRegistryOptions['tls']
  /** What each way takes; without it there is no proxy. */
  readonly delayMs?: number | undefined
}

/** A registry and the way to it. */
export interface Endpoint extends AsyncDisposable {
  readonly registry: DockerRegistry
  /** Where the measured programs find it; the registry's own host is nearer. */
  readonly host: string
}

/** Starts an empty registry, behind a proxy where the way is long. */
export async function openEndpoint({ tls, delayMs }: EndpointOptions): Promise<Endpoint> {
  await using starting = new AsyncDisposableStack()
  const registry = starting.use(await startDockerRegistry({ tls }))
  let way: Pick<DelayProxy, 'host'> = registry
  if (delayMs !== undefined) way = starting.use(await spawnDelayProxy({ target: registry.host, delayMs }))
  const started = starting.move()
  return { registry, host: way.host, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

/** The file in which a registry keeps the digest of a tag. Who reads it leaves no line in the access log. */
export function tagLink({ storage }: DockerRegistry, repository: string, tag: string): string {
  return `${storage}/docker/registry/v2/repositories/${repository}/_manifests/tags/${tag}/current/link`
}
