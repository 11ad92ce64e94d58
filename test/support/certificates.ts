import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

/** Paths of PEM files. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface IssueOptions {
  readonly usage: 'server' | 'client'
  /** `DNS:…` and `IP:…`; localhost, 127.0.0.1 and ::1 if not given. */
  readonly names?: readonly string[] | undefined
}

/** A private certificate authority, which no machine trusts by itself. */
export interface Authority {
  /** The path of its certificate (PEM), to be trusted by `--ca-file` and the like. */
  readonly certificate: string
  /** Issues a certificate that is good for a day; its files are named by `name`. */
  issue(name: string, options: IssueOptions): Promise<KeyPair>
}

/** Makes an authority whose files lie in `folder`. Needs the program `openssl`, version 3 or later. */
export async function makeAuthority(folder: string): Promise<Authority> {
  const self = await makeCertificate(folder, 'authority', [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign,cRLSign',
  ])
  return {
    certificate: self.certificate,
    issue: (name, { usage, names = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'] }) =>
      makeCertificate(
        folder,
        name,
        [
          'basicConstraints=critical,CA:FALSE',
          'keyUsage=critical,digitalSignature',
          `extendedKeyUsage=${usage}Auth`,
          `subjectAltName=${names.join(',')}`,
        ],
        self,
      ),
  }
}

/** The texts of a key pair, as Node's TLS wants them. */
export async function readKeyPair(pair: KeyPair): Promise<{ cert: string; key: string }> {
  const [cert, key] = await Promise.all([readFile(pair.certificate, 'utf8'), readFile(pair.key, 'utf8')])
  return { cert, key }
}

async function makeCertificate(
  folder: string,
  name: string,
  extensions: readonly string[],
  issuer?: KeyPair,
): Promise<KeyPair> {
  const file = (ending: string) => join(folder, `${name}.${ending}`)
  const pair = { certificate: file('pem'), key: file('key') }
  // The machine's own openssl.cnf would add extensions of its own.
  await writeFile(
    file('cnf'),
    `[req]\ndistinguished_name=subject\n[subject]\n[extensions]\n${extensions.join('\n')}\n`,
  )
  const { code, stderr } = await run('openssl', [
    ...[
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-sha256',
      '-days',
      '1',
    ],
    ...['-config', file('cnf'), '-extensions', 'extensions', '-subj', `/CN=dray test ${name}`],
    ...['-keyout', pair.key, '-out', pair.certificate],
    ...(issuer === undefined ? [] : ['-CA', issuer.certificate, '-CAkey', issuer.key]),
  ])
  if (code !== 0) throw new Error(`openssl could not make the certificate "${name}": ${stderr}`)
  return pair
}
