import { describe, expect, it } from 'vitest'
import { exposureWarnings } from '../../src/server/exposure.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'

const users = { check: async () => false }
const basic = { kind: 'basic', users } as const
const rules = [{ repositories: ['**'], allow: ['pull'], anonymous: true }] as const
const tls = { certFile: 'a', keyFile: 'b' }
const open = { host: '0.0.0.0', readOnly: false }
const isOpen = ['everybody who can reach 0.0.0.0 may push and delete: there are no users and no rules']
const isPlain = [
  'passwords come to 0.0.0.0 over plain HTTP: TLS is needed, or a proxy that has it, in trustedProxies',
]

describe('who lets others reach a registry is warned', () => {
  it.each([
    ['where all may write', open, isOpen],
    ['over TLS too', { ...open, tls }, isOpen],
    [
      'where rules might come, and are not there',
      { ...open, access: { current: undefined, reload: async () => {} } },
      isOpen,
    ],
    ['where passwords are sent in clear', { ...open, auth: basic }, isPlain],
    ['not on loopback', { ...open, host: '127.0.0.1' }, []],
    ['not on loopback of IPv6', { ...open, host: '::1' }, []],
    ['not on localhost, with users', { ...open, host: 'localhost', auth: basic }, []],
    ['not where nobody may write', { ...open, readOnly: true }, []],
    ['not where rules say who may', { ...open, access: { rules: [...rules] } }, []],
    ['not where certificates are logins', { ...open, tls: { ...tls, clientCaFile: 'c' } }, []],
    ['not where passwords come by TLS', { ...open, auth: basic, tls }, []],
    ['not where a proxy has TLS', { ...open, auth: basic, trustedProxies: ['10.0.0.0/8'] }, []],
  ] as const)('%s', (_, exposure, warnings) => expect(exposureWarnings(exposure)).toEqual(warnings))

  it('when it starts', async () => {
    const warnings: string[] = []
    await using _ = await startEmbeddedRegistry({ host: '0.0.0.0', onWarning: text => warnings.push(text) })
    expect(warnings).toEqual(isOpen)
  })
})
