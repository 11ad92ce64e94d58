import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { descriptorOf } from '../../../src/oci/manifest.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { sampleManifest } from '../../support/sample-image.ts'
import { type Handler, startFront } from '../front.ts'
import { answer, blob, open, refuse, takesUploads } from '../upload-script.ts'
import { foundHeaders, manifest } from './speech.ts'

describe('deleting', () => {
  /** Holds one image by two tags, and deletes by digest only. */
  const byDigestOnly: Handler = ({ method, path }, response) => {
    if (path.startsWith('/v2/app/tags/list')) return response.end('{"tags":["v1","latest"]}')
    if (method !== 'DELETE') return response.writeHead(200, foundHeaders).end(manifest.bytes)
    if (path.endsWith(manifest.digest)) return response.writeHead(202).end()
    response.writeHead(405).end('{"errors":[{"code":"UNSUPPORTED","message":"no"}]}')
  }
  const deletes = (lines: readonly string[]) => lines.filter(line => line.startsWith('DELETE'))

  it('11. a tag is tried by tag first, and its digest left alone while other tags share it', async () => {
    await using front = await startFront(byDigestOnly, { provider: 'distribution' })
    await expect(deleteImage(front.repository, 'v1')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(deletes(front.lines)).toEqual(['DELETE /v2/app/manifests/v1'])
  })

  it('11. a tag takes the others along when that is asked for', async () => {
    await using front = await startFront(byDigestOnly, { provider: 'distribution' })
    await deleteImage(front.repository, 'v1', { force: true })
    expect(deletes(front.lines)).toEqual([
      'DELETE /v2/app/manifests/v1',
      `DELETE /v2/app/manifests/${manifest.digest}`,
    ])
  })

  it('13. a DELETE names no manifest types to accept, which Artifactory answers with 406', async () => {
    await using front = await startFront(({ method, headers }, response) => {
      if (method !== 'DELETE') return response.writeHead(200, foundHeaders).end(manifest.bytes)
      response.writeHead(headers.accept?.includes('manifest') ? 406 : 202).end()
    })
    await front.repository.delete('v1')
    await front.repository.delete(manifest.digest)
    const deleted = front.seen.filter(({ method }) => method === 'DELETE')
    expect(deleted.map(({ headers }) => headers.accept)).toEqual([undefined, undefined])
  })
})

describe('an error', () => {
  it.each([
    [
      'errors[]',
      '{"errors":[{"code":"DENIED","message":"access forbidden"}]}',
      'access forbidden (400 DENIED)',
    ],
    ['errors[] of Artifactory', '{"errors":[{"status":400,"message":"no such key"}]}', 'no such key (400)'],
    [
      '{details} of Docker Hub',
      '{"details":"incorrect username or password"}',
      'incorrect username or password (400)',
    ],
    ['{error} of Quay', '{"error":"Invalid bearer token"}', 'Invalid bearer token (400)'],
    ['{status,message}', '{"status":400,"message":"bad name"}', 'bad name (400)'],
    [
      'HTML of Tomcat',
      '<!doctype html><html><head><title>HTTP Status 400 – Bad</title></head></html>',
      'HTTP Status 400 – Bad (400)',
    ],
    [
      'XML of Azure',
      '\uFEFF<?xml version="1.0"?><Error><Code>Invalid</Code><Message>not so</Message></Error>',
      'not so (400 Invalid)',
    ],
    ['text', 'Rate\n exceeded\n', 'Rate exceeded (400)'],
    ['nothing', '', 'bad request (400)'],
    ['too much', 'x'.repeat(1_000_000), `${'x'.repeat(399)}… (400)`],
  ])('18. is one line, of %s', async (_, body, message) => {
    await using front = await startFront((_, response) => response.writeHead(400).end(body))
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject({
      message: `cannot read ${front.host}/app:v1: ${message}`,
    })
  })

  it.each([
    [404, 'TAG_EXPIRED', 'NOT_FOUND'],
    [404, 'NOT_FOUND', 'NOT_FOUND'],
    [404, 'DENIED', 'NOT_FOUND'],
    [400, 'MANIFEST_UNKNOWN', 'REGISTRY'],
    [403, 'NAME_UNKNOWN', 'UNAUTHORIZED'],
  ])('19. is "not found" by its status and not by its code: %i %s', async (status, said, code) => {
    await using front = await startFront(refuse(status, said))
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject({ code, registryCode: said })
  })

  it.each([
    [
      'of a name that nobody knows, at registries that want it to be made before',
      404,
      'NAME_UNKNOWN',
      'does not exist',
      /to be made before the first push/,
    ],
    [
      'of a manifest that does not say its type, at ECR',
      405,
      'UNSUPPORTED',
      'Invalid JSON syntax',
      /takes no manifest without a "mediaType"/,
    ],
  ])('also: has a hint %s', async (_, status, code, message, hint) => {
    const body = JSON.stringify({ errors: [{ code, message }] })
    await using front = await startFront((_, response) => response.writeHead(status).end(body))
    await expect(front.repository.putManifest(manifest, ['v1'])).rejects.toMatchObject({
      hint: expect.stringMatching(hint),
    })
  })

  it('also: tells who is logged in without the right to push (GitLab leaves actions out of the token)', async () => {
    const asks =
      'Bearer realm="/token",service="s",scope="repository:app:pull,push",error="insufficient_scope"'
    await using front = await startFront(({ path }, response) =>
      path.startsWith('/token')
        ? response.end('{"token":"t"}')
        : response.writeHead(401, { 'www-authenticate': asks }).end(),
    )
    await expect(front.repository.putManifest(manifest, ['v1'])).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: `log in as someone who has the right to this with: dray login ${front.host}`,
    })
  })

  it('20. 403 of a HEAD for a blob or manifest leaves open whether it is there, and it is pushed', async () => {
    await using front = await startFront(takesUploads({ HEAD: answer(403) }))
    expect(await front.repository.find('v1')).toBeUndefined()
    expect(await front.repository.hasBlob(blob.descriptor)).toBe(false)
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    await front.repository.putManifest(manifest, ['v1'])
    expect(front.lines.at(-1)).toBe('PUT /v2/app/manifests/v1')
  })
})

describe('a manifest', () => {
  it('21. is asked for by all four types', async () => {
    await using front = await startFront((_, response) =>
      response.writeHead(200, foundHeaders).end(manifest.bytes),
    )
    await front.repository.resolve('v1')
    await front.repository.getManifest(descriptorOf(manifest))
    for (const { headers } of front.seen) {
      const accepted = headers.accept?.split(', ') ?? []
      expect(accepted).toEqual(
        expect.arrayContaining([
          mediaTypes.ociIndex,
          mediaTypes.ociManifest,
          mediaTypes.dockerList,
          mediaTypes.dockerManifest,
        ]),
      )
    }
    expect(front.seen.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  })

  it('21. whose digest a HEAD does not tell is read, and the digest computed', async () => {
    const { 'docker-content-digest': _, ...without } = foundHeaders
    await using front = await startFront((_, response) =>
      response.writeHead(200, without).end(manifest.bytes),
    )
    expect(await front.repository.resolve('v1')).toEqual(descriptorOf(manifest))
    expect(front.lines).toEqual(['HEAD /v2/app/manifests/v1', 'GET /v2/app/manifests/v1'])
  })

  it('21. is verified, by tag against what the registry tells, by digest against what was asked', async () => {
    const other = digestOf('another')
    await using front = await startFront((_, response) =>
      response.writeHead(200, { ...foundHeaders, 'docker-content-digest': other }).end(manifest.bytes),
    )
    const wrong = { code: 'INTEGRITY', message: expect.stringContaining(`not ${other}`) }
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject(wrong)
    await expect(front.repository.readManifest(other)).rejects.toMatchObject(wrong)
  })

  it('also: is pushed byte for byte', async () => {
    const odd = sampleManifest({
      schemaVersion: 2,
      config: { digest: digestOf('{}'), size: 2, unknown: [1.5, 'é'] },
      layers: [],
    })
    const bodies: Buffer[] = []
    await using front = await startFront(async (seen, response) => {
      bodies.push(await seen.body())
      response.writeHead(201).end()
    })
    await front.repository.putManifest(odd, ['v1', 'latest'])
    expect(bodies.map(body => body.equals(odd.bytes))).toEqual([true, true])
    expect(front.seen.map(({ headers }) => headers['content-type'])).toEqual(
      Array(2).fill(mediaTypes.ociManifest),
    )
  })
})
