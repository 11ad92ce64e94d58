import { describe, expect, it } from 'vitest'
import { DrayError, type ErrorCode } from '../../src/errors.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { challenge, type FakeAnswer, json } from '../support/fake-send.ts'
import { anna, annasBasic, bearer, meet, pull, push, token } from './auth-meeting.ts'

describe('a stored credential that is refused', () => {
  const refused = json({ details: 'wrong password' }, 401)

  it('is left out for a pull that works without it, with one warning', async () => {
    const { send, front, desk, warnings } = meet(
      [challenge(bearer), {}, {}],
      [refused, token('anonymous')],
      anna,
    )
    expect(await send(pull)).toMatchObject({ status: 200 })
    await send(pull)
    expect(desk.authorizations).toEqual([annasBasic, undefined])
    expect(front.authorizations).toEqual([undefined, 'Bearer anonymous', 'Bearer anonymous'])
    expect(warnings).toEqual([expect.stringMatching(/"anna".*wrong password; going on without it$/)])
  })

  it('is left out for a repository whose name begins like a right to write', async () => {
    const { send } = meet([challenge(bearer), {}], [refused, token('anonymous')], anna)
    expect(await send({ ...pull, scopes: ['repository:pushgateway/app:pull'] })).toMatchObject({
      status: 200,
    })
  })

  it('stays left out when the anonymous token has to be renewed', async () => {
    const { send, desk, clock, warnings } = meet(
      [challenge(bearer), {}, {}],
      [refused, token('one'), token('two')],
      anna,
    )
    await send(pull)
    clock.time += 300_000
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(desk.authorizations).toEqual([annasBasic, undefined, undefined])
    expect(warnings).toHaveLength(1)
  })

  it('is warned of once, however many repositories are read', async () => {
    const { send, warnings } = meet(
      [challenge(bearer), {}, challenge(bearer), {}],
      [refused, token('one'), refused, token('two')],
      anna,
    )
    await send(pull)
    await send({ ...pull, scopes: ['repository:other:pull'] })
    expect(warnings).toHaveLength(1)
  })

  it.each<[what: string, request: HttpRequest]>([
    ['a push', push],
    ['a read for a push', { ...pull, scopes: ['repository:org/app:pull,push'] }],
    ['a delete', { ...pull, method: 'DELETE', scopes: [] }],
    ['a login', { ...pull, requireCredential: true }],
  ])('is an error for %s', async (_, request) => {
    const { send, desk } = meet([challenge(bearer)], [refused], anna)
    await expect(send(request)).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: /wrong password/ })
    expect(desk.requests).toHaveLength(1)
  })

  it.each<[what: string, front: FakeAnswer[], desk: FakeAnswer[]]>([
    ['gives out no anonymous token', [challenge(bearer)], [refused, json({}, 403)]],
    ['refuses the anonymous token', [challenge(bearer), { status: 401 }], [refused, token('t')]],
    ['forbids what the anonymous token asks', [challenge(bearer), { status: 403 }], [refused, token('t')]],
  ])('is the error that is told where the registry %s', async (_, registry, service) => {
    const { send, warnings } = meet(registry, service, anna)
    await expect(send(pull)).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: /wrong password/ })
    expect(warnings).toEqual([])
  })
})

describe('a login that is not to be had', () => {
  const lacking = (code: ErrorCode) => ({
    findCredential: () => Promise.reject(new DrayError(code, 'no login from the helper')),
  })

  it.each<ErrorCode>(['UNAUTHORIZED', 'NETWORK', 'UNSUPPORTED'])(
    'is done without where everybody may read, with a warning: %s',
    async code => {
      const { send, desk, warnings } = meet(
        [challenge(bearer), {}],
        [token('anonymous')],
        anna,
        lacking(code),
      )
      expect(await send(pull)).toMatchObject({ status: 200 })
      expect(desk.authorizations).toEqual([undefined])
      expect(warnings).toEqual(['no login from the helper; going on without it'])
    },
  )

  it.each<[what: string, request: HttpRequest]>([
    ['a push', push],
    ['a delete', { ...pull, method: 'DELETE', scopes: [] }],
    ['a login', { ...pull, requireCredential: true }],
  ])('is an error for %s', async (_, request) => {
    const { send, desk } = meet([challenge(bearer)], [], anna, lacking('UNAUTHORIZED'))
    await expect(send(request)).rejects.toMatchObject({ message: 'no login from the helper' })
    expect(desk.requests).toEqual([])
  })

  it.each<ErrorCode>(['IO', 'INTEGRITY', 'TIMEOUT', 'USAGE'])(
    'is an error where it is there and cannot be read: %s',
    async code => {
      const { send, desk } = meet([challenge(bearer)], [], anna, lacking(code))
      await expect(send(pull)).rejects.toMatchObject({ code })
      expect(desk.requests).toEqual([])
    },
  )
})

describe('a secret stays at home', () => {
  it('a 401 of another origin is not answered', async () => {
    const { send, front, targets } = meet([{ ...challenge('Basic'), url: 'https://cdn.example/x' }], [], anna)
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(1)
    expect(targets).toEqual([])
  })

  it('a request to another origin carries nothing', async () => {
    const { send, front } = meet([challenge('Basic'), {}, challenge('Basic')], [], anna)
    await send(pull)
    await send({ ...pull, url: new URL('https://other.example/upload') })
    expect(front.authorizations).toEqual([undefined, annasBasic, undefined])
  })

  it('a challenge of /v2/ that was redirected to another origin is not answered', async () => {
    const { send, targets } = meet(
      [{ status: 401 }, { ...challenge('Basic'), url: 'https://evil.example/' }],
      [],
      anna,
    )
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(targets).toHaveLength(0)
  })

  it.each(['http://auth.example/token', 'http://reg.example/token', 'ftp://auth.example/'])(
    'a registry met over https cannot have it sent to %s',
    async realm => {
      const { send, desk } = meet([challenge(`Bearer realm="${realm}"`)], [], anna)
      await expect(send(pull)).rejects.toMatchObject({ code: 'NETWORK', hint: /no credential was sent/ })
      expect(desk.requests).toEqual([])
    },
  )

  it('a realm without a host is told by its scheme', async () => {
    const { send } = meet([challenge('Bearer realm="file:///etc/passwd"')], [], anna)
    await expect(send(pull)).rejects.toMatchObject({ message: /without https, from file:$/ })
  })

  it.each(['Bearer', 'Bearer realm=""', 'Bearer realm="https://"'])(
    'a challenge without a usable realm gets none: %s',
    async header => {
      const { send, desk } = meet([challenge(header)], [], anna)
      await expect(send(push)).rejects.toMatchObject({
        code: 'REGISTRY',
        message: 'reg.example asks for a token but names no usable realm',
      })
      expect(desk.requests).toEqual([])
    },
  )

  it('a realm without https is fine for a registry met without', async () => {
    const plain = { ...pull, url: new URL('http://localhost:5000/v2/a/manifests/x') }
    const { send, desk } = meet([challenge('Bearer realm="/token"'), {}], [token('t')], anna, {
      origin: 'http://localhost:5000',
    })
    await send(plain)
    expect(desk.requests[0]?.url.href).toMatch(/^http:\/\/localhost:5000\/token\?/)
  })

  it('a name and password in a realm are left out', async () => {
    const { send, desk } = meet(
      [challenge('Bearer realm="https://u:p@auth.example/token"'), {}],
      [token('t')],
    )
    await send(pull)
    expect(desk.requests[0]?.url.href).not.toContain('@')
  })
})
