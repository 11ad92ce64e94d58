import nock from 'nock'
import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { sampleImage } from '../support/sample-image.ts'
import { useDialogues } from './dialogue.ts'

const meet = useDialogues()
const { manifest } = sampleImage('one')
const anna: Credential = { kind: 'basic', username: 'anna', password: 'secret' }
const basic = `Basic ${Buffer.from('anna:secret').toString('base64')}`

/** What a registry answers to HEAD of a manifest. */
const found = {
  'docker-content-digest': manifest.digest,
  'content-type': manifest.mediaType,
  'content-length': String(manifest.bytes.length),
}

/** Requests without an `Authorization`. */
const bare = (origin: string): nock.Scope => nock(origin, { badheaders: ['authorization'] })
const authorized = (origin: string, authorization: string): nock.Scope =>
  nock(origin, { reqheaders: { authorization } })
const denied = (message: string) => ({ errors: [{ code: 'DENIED', message }] })

describe('an anonymous pull', () => {
  it('from GHCR of a private package tells that a login is wanted', async () => {
    const { registry } = meet('ghcr.io')
    nock('https://ghcr.io').head('/v2/o/app/manifests/v1').reply(401, '', {
      'www-authenticate':
        'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:o/app:pull"',
    })
    nock('https://ghcr.io')
      .get('/token')
      .query(true)
      .reply(401, { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] })
    await expect(registry.repository('o/app').resolve('v1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/authentication required/),
      hint: expect.stringMatching(/dray login/),
    })
  })
})

describe('a login', () => {
  it('at Docker Hub with a wrong password is refused in the words of its token service', async () => {
    const { registry } = meet('docker.io')
    nock('https://registry-1.docker.io').get('/v2/').reply(401, '', {
      'www-authenticate': 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
    })
    nock('https://auth.docker.io')
      .get('/token')
      .query(true)
      .reply(401, { details: 'incorrect username or password' })
    await expect(registry.checkLogin(anna)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/incorrect username or password/),
    })
  })

  it('at ECR is Basic, and its end is told', async () => {
    const host = '1.dkr.ecr.eu-west-1.amazonaws.com'
    const { registry } = meet(host, anna)
    bare(`https://${host}`)
      .head('/v2/app/manifests/v1')
      .reply(401, '', { 'www-authenticate': `Basic realm="https://${host}/",service="ecr.amazonaws.com"` })
    const ecr = authorized(`https://${host}`, basic)
    ecr.head('/v2/app/manifests/v1').reply(200, '', found)
    ecr.get(`/v2/app/manifests/${manifest.digest}`).reply(403, denied('Your authorization token has expired'))
    const app = registry.repository('app')
    await app.resolve('v1')
    await expect(app.getManifest(descriptorOf(manifest))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/has expired \(403 DENIED\)$/),
    })
  })

  it('at ACR with an identity token is a POST, and gives an access_token alone', async () => {
    const { registry } = meet('a.azurecr.io', { kind: 'identity-token', token: 'refresh' })
    const tags = '/v2/app/tags/list'
    bare('https://a.azurecr.io').get(tags).query({ n: 1000 }).reply(401, '', {
      'www-authenticate':
        'Bearer realm="https://a.azurecr.io/oauth2/token",service="a.azurecr.io",scope="repository:app:metadata_read"',
    })
    bare('https://a.azurecr.io')
      .post('/oauth2/token', {
        grant_type: 'refresh_token',
        client_id: 'dray',
        service: 'a.azurecr.io',
        scope: 'repository:app:metadata_read',
        refresh_token: 'refresh',
      })
      .reply(200, { access_token: 'acr' })
    authorized('https://a.azurecr.io', 'Bearer acr')
      .get(tags)
      .query({ n: 1000 })
      .reply(200, { name: 'app', tags: ['v1'] })
    const listed: string[] = []
    for await (const tag of registry.repository('app').tags()) listed.push(tag)
    expect(listed).toEqual(['v1'])
  })

  it('at GitLab goes to another origin for its token', async () => {
    const { registry } = meet('registry.gitlab.com', anna)
    bare('https://registry.gitlab.com').head('/v2/g/p/manifests/v1').reply(401, '', {
      'www-authenticate':
        'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",scope="repository:g/p:pull",error="invalid_token"',
    })
    authorized('https://gitlab.com', basic)
      .get('/jwt/auth')
      .query({ service: 'container_registry', scope: 'repository:g/p:pull', client_id: 'dray' })
      .reply(200, { token: 'gl' })
    authorized('https://registry.gitlab.com', 'Bearer gl').head('/v2/g/p/manifests/v1').reply(403, '')
    expect(await registry.repository('g/p').find('v1')).toBeUndefined()
  })

  it('at GHCR that is stale does not keep a public image away, and is warned of', async () => {
    const { registry, events } = meet('ghcr.io', anna)
    const path = '/v2/o/app/manifests/v1'
    bare('https://ghcr.io').head(path).reply(401, '', {
      'www-authenticate':
        'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:o/app:pull"',
    })
    authorized('https://ghcr.io', basic).get('/token').query(true).reply(403, denied('denied'))
    bare('https://ghcr.io').get('/token').query(true).reply(200, { token: 'public' })
    authorized('https://ghcr.io', 'Bearer public').head(path).reply(200, '', found)
    expect(await registry.repository('o/app').resolve('v1')).toEqual(descriptorOf(manifest))
    expect(events).toEqual([
      { type: 'warning', message: expect.stringMatching(/denied; going on without it$/) },
    ])
  })

  it('at GHCR that is stale ends the pull where it was asked for by name', async () => {
    const { registry } = meet('ghcr.io', anna, { requireCredential: true })
    bare('https://ghcr.io').head('/v2/o/app/manifests/v1').reply(401, '', {
      'www-authenticate': 'Bearer realm="https://ghcr.io/token",service="ghcr.io"',
    })
    authorized('https://ghcr.io', basic).get('/token').query(true).reply(403, denied('denied'))
    await expect(registry.repository('o/app').resolve('v1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('refused the login'),
    })
  })

  it('at Harbor is Basic for the catalog', async () => {
    const { registry } = meet('harbor.example', anna)
    bare('https://harbor.example')
      .get('/v2/_catalog')
      .query({ n: 1000 })
      .reply(401, '', { 'www-authenticate': 'Basic realm="harbor"' })
    authorized('https://harbor.example', basic)
      .get('/v2/_catalog')
      .query({ n: 1000 })
      .reply(200, { repositories: ['a', 'b'] })
    const listed: string[] = []
    for await (const name of registry.catalog()) listed.push(name)
    expect(listed).toEqual(['a', 'b'])
  })

  it('is proved at Quay, which lets everybody see /v2/ and sends its challenge with it', async () => {
    const { registry } = meet('quay.io')
    const challenge = { 'www-authenticate': 'Bearer realm="https://quay.io/v2/auth",service="quay.io"' }
    bare('https://quay.io').get('/v2/').reply(200, 'true', challenge)
    authorized('https://quay.io', basic)
      .get('/v2/auth')
      .query({ service: 'quay.io', client_id: 'dray' })
      .reply(200, { token: 'q' })
    authorized('https://quay.io', 'Bearer q').get('/v2/').reply(200, 'true', challenge)
    expect(await registry.checkLogin(anna)).toBe('accepted')
  })

  it('is proved by Basic', async () => {
    const { registry } = meet('reg.example')
    bare('https://reg.example').get('/v2/').reply(401, '', { 'www-authenticate': 'Basic realm="r"' })
    authorized('https://reg.example', basic).get('/v2/').reply(200, '{}')
    expect(await registry.checkLogin(anna)).toBe('accepted')
  })

  it('is refused by Basic', async () => {
    const { registry } = meet('reg.example')
    nock('https://reg.example')
      .get('/v2/')
      .twice()
      .reply(
        401,
        { errors: [{ code: 'UNAUTHORIZED', message: 'wrong password' }] },
        { 'www-authenticate': 'Basic realm="r"' },
      )
    await expect(registry.checkLogin(anna)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      status: 401,
      message: 'reg.example refused the login of "anna": wrong password',
    })
  })

  it('is asked for by nobody at a registry that is open to all', async () => {
    const { registry } = meet('reg.example')
    bare('https://reg.example').get('/v2/').reply(200, '{}')
    expect(await registry.checkLogin(anna)).toBe('unasked')
  })

  it('cannot be proved where there is no registry', async () => {
    const { registry } = meet('reg.example')
    nock('https://reg.example').get('/v2/').reply(404, '<html><title>Not Found</title></html>')
    await expect(registry.checkLogin(anna)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'cannot log in to reg.example: Not Found (404)',
    })
  })
})
