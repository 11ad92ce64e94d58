import { describe, expect, it } from 'vitest'
import { missingActions, readClaims } from '../../src/doctor/token-claims.ts'

const encode = (document: unknown) => Buffer.from(JSON.stringify(document)).toString('base64url')
const jwt = (claims: unknown) => `${encode({ alg: 'ES256' })}.${encode(claims)}.c2lnbmF0dXJl`

describe('the claims of a token', () => {
  it('are those that registries know, and no others', () => {
    const access = [{ type: 'repository', name: 'team/app', actions: ['pull'] }]
    const claims = { iss: 'a', sub: 'anna', aud: ['b'], exp: 2, nbf: 1, iat: 1, access }
    expect(readClaims(jwt({ ...claims, jti: 'x', secret: 'y' }))).toEqual(claims)
    expect(readClaims(jwt({ access: null }))).toEqual({ access: null })
  })

  it.each([
    ['opaque', 'djE6b3BhcXVl'],
    ['three parts that hold no JSON', 'a.b.c'],
    ['JSON of another form', jwt({ access: 'all' })],
    ['too long', `a.${'b'.repeat(300_000)}.c`],
  ])('cannot be read where it is %s', (_, token) => expect(readClaims(token)).toBeUndefined())

  it('tell which actions are missing in a repository', () => {
    const granting = (name: string, ...actions: string[]) => ({
      access: [{ type: 'repository', name, actions }],
    })
    const wanted = ['pull', 'push']
    expect(missingActions(granting('team/app', 'pull'), 'team/app', wanted)).toEqual(['push'])
    expect(missingActions(granting('team/app', '*'), 'team/app', wanted)).toEqual([])
    expect(missingActions(granting('team/other', 'pull', 'push'), 'team/app', wanted)).toEqual(wanted)
    expect(missingActions({ access: null }, 'team/app', wanted)).toEqual(wanted)
    expect(missingActions({}, 'team/app', wanted)).toEqual(wanted)
  })
})
