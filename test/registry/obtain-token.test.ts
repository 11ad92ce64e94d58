import { describe, expect, it } from 'vitest'
import type { Credential, CredentialTarget } from '../../src/credential.ts'
import { Registry } from '../../src/registry/registry.ts'
import { challenge, type FakeAnswer, fakeSend, json } from '../support/fake-send.ts'

const bearer = 'Bearer realm="https://auth.example/token",service="quay.example"'
const anna: Credential = { kind: 'basic', username: 'anna', password: 'hunter2' }
const pull = { scopes: ['repository:org/app:pull'], repository: 'org/app' }

/** A registry with these answers, and who was asked for. */
function meet(answers: readonly FakeAnswer[], credential?: Credential) {
  const front = fakeSend(answers)
  const targets: CredentialTarget[] = []
  const findCredential = async (target: CredentialTarget) => {
    targets.push(target)
    return credential
  }
  return {
    front,
    targets,
    registry: new Registry({ registry: 'quay.example', send: front.send, findCredential }),
  }
}

describe('a token for other programs', () => {
  it('is had with the login for the repository, from the challenge of /v2/', async () => {
    const answers = [challenge(bearer), json({ token: 't1' }), {}]
    const { registry, front, targets } = meet(answers, anna)
    expect(await registry.token({ scopes: ['registry:catalog:*'], repository: 'org/app' })).toBe('t1')
    expect(front.lines).toEqual([
      'GET https://quay.example/v2/',
      'GET https://auth.example/token?service=quay.example&scope=registry%3Acatalog%3A*&client_id=dray',
      'GET https://quay.example/v2/',
    ])
    expect(targets).toEqual([{ registry: 'quay.example', repository: 'org/app' }])
  })

  it('is had from a registry that sends its challenge with a 200 (Quay), and though the token does not open /v2/', async () => {
    const { registry } = meet([challenge(bearer, 200), json({ token: 't1' }), { status: 403 }])
    expect(await registry.token(pull)).toBe('t1')
  })

  it('is a registry token that is kept', async () => {
    const { registry } = meet([challenge(bearer), {}], { kind: 'registry-token', token: 'ready' })
    expect(await registry.token(pull)).toBe('ready')
  })

  it.each<[string, FakeAnswer[], Credential | undefined, RegExp]>([
    ['asks for nothing', [{}], anna, /asks for no login$/],
    ['wants a password, without one', [challenge('Basic realm="x"')], undefined, /\(Basic\)$/],
    ['wants a password, with one', [challenge('Basic realm="x"'), {}], anna, /\(Basic\)$/],
  ])('is not had where the registry %s', async (_what, answers, credential, message) => {
    await expect(meet(answers, credential).registry.token(pull)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })
})
