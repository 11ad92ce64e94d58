import { describe, expect, it } from 'vitest'
import { startServer } from '../../src/server/server.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { sampleBlob } from '../support/sample-image.ts'

const metrics = { host: '127.0.0.1', port: 0 }
const blob = sampleBlob('some')

/** The lines of our own metrics, without those that depend on time. */
async function scrape({ server }: EmbeddedRegistry): Promise<string[]> {
  const answer = await fetch(server.metricsUrl ?? '')
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = (await answer.text()).split('\n')
  return lines.filter(line => /^dray_/.test(line) && !/duration_seconds_(?:bucket|sum)/.test(line))
}

describe('metrics', () => {
  it('count requests and bytes by what they are for, and nothing that a client makes up', async () => {
    await using registry = await startEmbeddedRegistry({ metrics })
    await registry.putBlob('a/b', blob)
    await registry.ask('GET', `/v2/a/b/blobs/${blob.descriptor.digest}`)
    await registry.ask('GET', '/v2/a/b/tags/list')
    await registry.ask('GET', '/v2/a/manifests/manifests/x')
    await registry.ask('GET', '/v2/x"\\y/manifests/z')
    await registry.ask('PROPFIND', '/made-up')
    await registry.ended(({ method }) => method === 'PROPFIND')
    expect(await scrape(registry)).toEqual([
      'dray_http_requests_total{method="POST",endpoint="uploads",status="201"} 1',
      'dray_http_requests_total{method="GET",endpoint="blobs",status="200"} 1',
      'dray_http_requests_total{method="GET",endpoint="tags",status="200"} 1',
      'dray_http_requests_total{method="GET",endpoint="manifests",status="404"} 1',
      'dray_http_requests_total{method="GET",endpoint="manifests",status="400"} 1',
      'dray_http_requests_total{method="other",endpoint="other",status="404"} 1',
      'dray_http_request_duration_seconds_count{method="POST",endpoint="uploads"} 1',
      'dray_http_request_duration_seconds_count{method="GET",endpoint="blobs"} 1',
      'dray_http_request_duration_seconds_count{method="GET",endpoint="tags"} 1',
      'dray_http_request_duration_seconds_count{method="GET",endpoint="manifests"} 2',
      'dray_http_request_duration_seconds_count{method="other",endpoint="other"} 1',
      'dray_http_body_bytes_total{endpoint="uploads",direction="received"} 4',
      'dray_http_body_bytes_total{endpoint="uploads",direction="sent"} 0',
      'dray_http_body_bytes_total{endpoint="blobs",direction="received"} 0',
      'dray_http_body_bytes_total{endpoint="blobs",direction="sent"} 4',
      'dray_http_body_bytes_total{endpoint="tags",direction="received"} 0',
      expect.stringMatching(/^dray_http_body_bytes_total\{endpoint="tags",direction="sent"\} \d+$/),
      'dray_http_body_bytes_total{endpoint="manifests",direction="received"} 0',
      expect.stringMatching(/^dray_http_body_bytes_total\{endpoint="manifests",direction="sent"\} \d+$/),
      'dray_http_body_bytes_total{endpoint="other",direction="received"} 0',
      expect.stringMatching(/^dray_http_body_bytes_total\{endpoint="other",direction="sent"\} \d+$/),
      'dray_http_connections 1',
      'dray_http_requests_in_flight 0',
    ])
  })

  it('have an address of their own, where else is only whether all is well', async () => {
    await using registry = await startEmbeddedRegistry({ metrics })
    const status = async (path: string, method = 'GET') =>
      (await fetch(new URL(path, registry.server.metricsUrl), { method })).status
    expect(await status('/healthz')).toBe(200)
    expect(await status('/metrics?x')).toBe(200)
    expect(await status('/metrics', 'POST')).toBe(405)
    expect(await status('/v2/')).toBe(404)
    expect((await registry.ask('GET', '/metrics')).status).toBe(404)
  })

  it('of two registries in one process do not meet', async () => {
    await using first = await startEmbeddedRegistry({ metrics })
    await using second = await startEmbeddedRegistry({ metrics })
    await first.ask('GET', '/v2/')
    await first.ended(() => true)
    const requests = async (registry: EmbeddedRegistry) =>
      (await scrape(registry)).filter(line => line.includes('requests_total')).length
    expect([await requests(first), await requests(second)]).toEqual([1, 0])
  })

  it('are not to be had when nobody asked for them, and end with the registry', async () => {
    await using registry = await startEmbeddedRegistry()
    expect(registry.server.metricsUrl).toBeUndefined()
    const { dir } = registry
    const measured = await startServer({ dir, host: '127.0.0.1', port: 0, metrics })
    await measured.close()
    await expect(fetch(measured.metricsUrl ?? '')).rejects.toThrow()
  })

  it('at an address that is taken keep the registry from starting', async () => {
    await using registry = await startEmbeddedRegistry()
    const { dir, server } = registry
    const taken = { host: '127.0.0.1', port: server.port }
    const starting = startServer({ dir, host: '127.0.0.1', port: 0, metrics: taken })
    await expect(starting).rejects.toMatchObject({ code: 'IO' })
  })
})
