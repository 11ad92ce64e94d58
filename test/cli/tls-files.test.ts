import { expect, it } from 'vitest'
import { caFiles } from '../../src/cli/tls-files.ts'
import type { RegistrySettings } from '../../src/config/settings.ts'

const settings = { caFile: { value: '/ca/own.pem', origin: 'the configuration' } } as RegistrySettings
const certificates = {
  folder: '/certs.d/host',
  caFiles: ['/certs.d/host/ca.crt'],
  certFile: undefined,
  keyFile: undefined,
}

it('CAs of all places are trusted, beside those that Node would have added by itself', () => {
  const env = { SSL_CERT_FILE: '/ca/system.pem', NODE_EXTRA_CA_CERTS: '/ca/extra.pem' }
  expect(caFiles({ flags: {}, settings, certificates, env })).toEqual([
    { file: '/ca/own.pem', origin: 'the configuration' },
    { file: '/ca/system.pem', origin: 'SSL_CERT_FILE' },
    { file: '/certs.d/host/ca.crt', origin: '/certs.d/host' },
    { file: '/ca/extra.pem', origin: 'NODE_EXTRA_CA_CERTS' },
  ])
})

it('a file that is named twice is read once', () => {
  const env = { SSL_CERT_FILE: '/ca/system.pem', NODE_EXTRA_CA_CERTS: '/ca/system.pem' }
  const files = caFiles({ flags: { caFile: '/ca/system.pem' }, settings, certificates: undefined, env })
  expect(files).toEqual([{ file: '/ca/system.pem', origin: '--ca-file' }])
})

it('where nobody names a CA, those of Node are left to Node', () => {
  const env = { NODE_EXTRA_CA_CERTS: '/ca/extra.pem' }
  const none = {} as RegistrySettings
  expect(caFiles({ flags: {}, settings: none, certificates: undefined, env })).toEqual([])
})
