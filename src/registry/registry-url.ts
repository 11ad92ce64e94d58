/**
 * Where a registry's API answers: Docker Hub has a host of its own, loopback hosts speak plain HTTP by default.
 */
export function registryUrl(registry: string, plainHttp: boolean = isLoopback(registry)): URL {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
  return new URL(`${plainHttp ? 'http' : 'https'}://${host}/`)
}

/** True for `localhost`, `127.0.0.0/8` and `[::1]`, with any port. */
export function isLoopback(registry: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(registry)
}
