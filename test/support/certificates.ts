import { appendFile, readFile, writeFile } from 'node:fs/promises'
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
  /** When it is valid; from now on, for a day, if not given. */
  readonly validity?: { readonly from: Date; readonly to: Date } | undefined
}

/** A private certificate authority, which no machine trusts by itself. */
export interface Authority {
  /** The path of its certificate (PEM), to be trusted by `--ca-file` and the like. */
  readonly certificate: string
  /** Issues a certificate; its files are named by `name`. */
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
    issue: async (name, { usage, names = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'], validity }) => {
      const extensions = [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        `extendedKeyUsage=${usage}Auth`,
        `subjectAltName=${names.join(',')}`,
      ]
      const pair = await makeCertificate(folder, name, extensions, self)
      if (validity !== undefined) await issueAgain(folder, name, { issuer: self, validity })
      return pair
    },
  }
}

/** Makes a certificate that is its own issuer and no authority, as people do who want none. */
export function makeSelfSigned(folder: string, name: string): Promise<KeyPair> {
  return makeCertificate(folder, name, ['basicConstraints=critical,CA:FALSE', 'subjectAltName=IP:127.0.0.1'])
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
  await openssl(name, [
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
  return pair
}

interface Again {
  readonly issuer: KeyPair
  readonly validity: NonNullable<IssueOptions['validity']>
}

/** Puts a certificate with other dates in the place of one that is there; `openssl req` can only date from now on. */
async function issueAgain(folder: string, name: string, { issuer, validity }: Again): Promise<void> {
  const file = (ending: string) => join(folder, `${name}.${ending}`)
  const date = (when: Date) => when.toISOString().replace(/[-:T]|\.\d+/g, '')
  const settings = {
    database: file('index'),
    new_certs_dir: folder,
    default_md: 'sha256',
    policy: 'any',
    rand_serial: 'yes',
  }
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  await appendFile(
    file('cnf'),
    `[ca]\ndefault_ca=again\n[again]\n${lines.join('\n')}\n[any]\ncommonName=supplied\n`,
  )
  await writeFile(file('index'), '')
  const self = ['-key', file('key'), '-config', file('cnf')]
  await openssl(name, ['req', '-new', ...self, '-subj', `/CN=dray test ${name}`, '-out', file('csr')])
  await openssl(name, [
    ...['ca', '-batch', '-notext', '-config', file('cnf'), '-extensions', 'extensions'],
    ...['-cert', issuer.certificate, '-keyfile', issuer.key, '-in', file('csr'), '-out', file('pem')],
    ...['-startdate', date(validity.from), '-enddate', date(validity.to)],
  ])
}

async function openssl(name: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run('openssl', args)
  if (code !== 0) throw new Error(`openssl could not make the certificate "${name}": ${stderr}`)
}
