import type { Credential, CredentialTarget } from '../../src/credential.ts'
import { type AuthOptions, auth } from '../../src/http/auth.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { fakeSend, json, type Script } from '../support/fake-send.ts'

/** A manifest at the registry. */
export const url = new URL('https://reg.example/v2/org/app/manifests/v1')
/** Reads it. */
export const pull: HttpRequest = { method: 'GET', url, scopes: ['repository:org/app:pull'] }
/** Writes it. */
export const push: HttpRequest = {
  method: 'PUT',
  url,
  scopes: ['repository:org/app:pull,push'],
  body: Buffer.from('manifest'),
}
/** The challenge of a token service at another origin. */
export const bearer = 'Bearer realm="https://auth.example/token",service="reg.example"'
/** A user. */
export const anna: Credential = { kind: 'basic', username: 'anna', password: 'pä:ss' }
/** How she proves herself. */
export const annasBasic = `Basic ${Buffer.from('anna:pä:ss').toString('base64')}`
/** A reply of the token service. */
export const token = (value: string, seconds = 300) => json({ token: value, expires_in: seconds })

/** The registry's answers and the token service's, and a middleware between. */
export function meet(
  registry: Script,
  service: Script = [],
  credential?: Credential,
  options: Partial<AuthOptions> = {},
) {
  const clock = fakeClock()
  const [front, desk] = [fakeSend(registry), fakeSend(service)]
  const warnings: string[] = []
  const targets: CredentialTarget[] = []
  const middleware = auth({
    registry: 'reg.example',
    origin: 'https://reg.example',
    send: desk.send,
    findCredential: async target => {
      targets.push(target)
      return credential
    },
    onWarning: message => warnings.push(message),
    now: clock.now,
    ...options,
  })
  return { send: middleware(front.send), front, desk, clock, warnings, targets }
}
