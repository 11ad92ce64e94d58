import type { IncomingMessage, ServerResponse } from 'node:http'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Load } from './listener.ts'
import type { MirrorEvent } from './mirror/upstream.ts'
import type { RequestEvent } from './request-event.ts'

/** What Prometheus is told. */
export interface Metrics {
  /** Counts a request that has ended. */
  count(event: RequestEvent): void
  /** Counts what became of a request for something mirrored, and what was fetched and removed. */
  countMirror(event: MirrorEvent): void
  /** Answers `GET /metrics` and `GET /healthz`. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>
}

const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Of a blob of 10 GB over 100 Mbit/s, 15 minutes. */
const seconds = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 900]

/** Metrics with a registry of their own, so that two servers in one process do not meet. */
export function createMetrics(load: () => Load): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  const requests = new Counter({
    name: 'dray_http_requests_total',
    help: 'Requests that ended, by method, endpoint and status.',
    labelNames: ['method', 'endpoint', 'status'],
    registers,
  })
  const durations = new Histogram({
    name: 'dray_http_request_duration_seconds',
    help: "From a request's headers to the end of its answer.",
    labelNames: ['method', 'endpoint'],
    buckets: seconds,
    registers,
  })
  const bytes = new Counter({
    name: 'dray_http_body_bytes_total',
    help: 'Bytes of bodies, by endpoint and direction.',
    labelNames: ['endpoint', 'direction'],
    registers,
  })
  const mirrorRequests = new Counter({
    name: 'dray_mirror_requests_total',
    help: 'Requests for mirrored content that were there (hit), had to be fetched (miss), or may be old (stale).',
    labelNames: ['mirror', 'kind', 'result'],
    registers,
  })
  const fetched = new Counter({
    name: 'dray_mirror_fetched_bytes_total',
    help: 'Bytes of blobs that were fetched from other registries.',
    labelNames: ['mirror'],
    registers,
  })
  const evicted = new Counter({
    name: 'dray_mirror_evicted_bytes_total',
    help: 'Bytes of mirrored content that were removed again, by all its names.',
    labelNames: ['mirror'],
    registers,
  })
  addGauge('dray_http_connections', 'Open connections.', () => load().connections)
  addGauge('dray_http_requests_in_flight', 'Requests that have not ended.', () => load().requests)

  function addGauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  }

  return {
    count({ method: given, path, status, ms, received, sent }) {
      // Clients must not be able to make up labels without end.
      const method = methods.includes(given) ? given : 'other'
      const endpoint = endpointOf(path)
      requests.inc({ method, endpoint, status })
      durations.observe({ method, endpoint }, ms / 1000)
      bytes.inc({ endpoint, direction: 'received' }, received)
      bytes.inc({ endpoint, direction: 'sent' }, sent)
    },
    countMirror(event) {
      const { type } = event
      if (type === 'evicted') evicted.inc({ mirror: event.mirror }, event.bytes)
      else if (type === 'fetched') fetched.inc({ mirror: event.mirror }, event.bytes)
      else mirrorRequests.inc({ mirror: event.mirror, kind: event.kind, result: event.result })
    },
    async serve({ url = '/', method }, response) {
      const [path] = url.split('?')
      if (method !== 'GET' && method !== 'HEAD') response.writeHead(405, { Allow: 'GET, HEAD' }).end()
      else if (path === '/healthz') response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok\n')
      else if (path !== '/metrics') response.writeHead(404).end()
      else response.writeHead(200, { 'Content-Type': register.contentType }).end(await register.metrics())
    },
  }
}

function endpointOf(path: string): string {
  const kind = /^\/v2\/.+\/(manifests|blobs\/uploads|blobs|tags|referrers)(?:\/[^/]*)?$/.exec(path)?.[1]
  if (kind !== undefined) return kind === 'blobs/uploads' ? 'uploads' : kind
  if (path === '/v2/_catalog') return 'catalog'
  if (/^\/v2\/?$/.test(path)) return 'base'
  return /^\/token(?:\/jwks)?$/.test(path) ? 'token' : 'other'
}
