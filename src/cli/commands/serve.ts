import { type Command, Option } from 'commander'
import { parseAddress } from '../../server/address.ts'
import type { RequestEvent } from '../../server/server.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { printable } from '../printable.ts'
import { type LogForm, logLine } from '../request-log.ts'
import { readServeSettings, type ServeFlags } from '../serve-settings.ts'
import { type CommonFlags, Session } from '../session.ts'
import { parseDuration } from '../units.ts'

export function define(command: Command, context: CliContext): void {
  command
    .argument('<dir>', 'the folder; each repository is an OCI layout in it')
    .option(
      '-a, --address <host:port>',
      'where to listen; port 0 takes a free one (127.0.0.1:5000)',
      parseAddress,
    )
    .option('--config <file>', 'read settings from this YAML file; options are stronger (see below)')
    .option('--read-only', 'refuse every push and delete')
    .option('--require-blobs', 'refuse a manifest whose layers and config are not there (else warn)')
    .option('--grace-period <duration>', 'when ended, let running requests go on so long (5s)', parseDuration)
    .addOption(
      new Option('--log <form>', 'how requests are logged on stderr (text)').choices([
        'text',
        'json',
        'none',
      ]),
    )
    .option('--metrics-address <host:port>', 'where Prometheus finds /metrics', parseAddress)
    .optionsGroup('Access options:')
    .option('--htpasswd <file>', 'let only these users in (bcrypt: htpasswd -B)')
    .addOption(
      new Option('--auth <way>', 'how users prove themselves, with --htpasswd (basic)').choices([
        'basic',
        'token',
      ]),
    )
    .option('--token-key <file>', 'sign tokens with this key (PEM), made where there is none')
    .option('--anonymous-pull', 'let everybody pull, with --htpasswd')
    .option('--tls-cert <file>', 'speak HTTPS with this certificate (PEM), read again when it changes')
    .option('--tls-key <file>', "the certificate's key (PEM)")
    .option('--tls-client-ca <file>', 'want client certificates of these CAs (PEM), and take them for logins')
    .optionsGroup('Options:')
    .action((dir: string, flags: ServeFlags & CommonFlags) => run(dir, flags, context))
  options.addFormatOption(command, '{{.Url}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray serve ./registry', 'a registry at 127.0.0.1:5000, for this machine'],
    ['dray serve ./registry --address 0.0.0.0:5000 --htpasswd users --auth token', 'with logins, for others'],
    ['dray serve ./registry --config serve.yaml', 'with rules: who may do what'],
    ['dray copy alpine oci:./registry/alpine:3.20', 'put an image into the folder without the server'],
  ])
  command.addHelpText('after', configHelp)
}

const configHelp = `
The configuration file, with all its keys; each may be left out:
  address: 0.0.0.0:5000
  readOnly: false
  requireBlobs: false
  log: json                          # text, none
  tls:
    cert: server.pem                 # paths start from the file's own folder
    key: server.key
    clientCa: clients.pem            # a client certificate is a login
    clientCertificates: optional     # required
    clientUser: commonName           # dns, email, uri: which of its names is the user's
  auth:
    htpasswd: users
    anonymousPull: true              # without rules
    token:                           # without it: Basic
      service: registry.example.com  # with issuer, otherServices, realm, lifetimeSeconds
      keyFile: token.key             # made where there is none; algorithm: ES256 or RS256
      jwksFile: token.jwks           # the public key, also at /token/jwks
    external: { realm: https://auth.example.com/token, service: me, issuer: them, keys: jwks.json } # alone
  groups:
    devs: [ann, bob]
  rules:                             # with them, only what a rule allows is allowed
    - { repositories: ['library/**'], allow: [pull], anonymous: true }
    - { repositories: [team/*], allow: [push, delete], users: [eve], groups: [devs] } # push brings pull
    - { repositories: ['**'], allow: [pull], users: ['*'] }                           # all who logged in
  metrics: { address: 127.0.0.1:9100 }
  limits: { connections: 4096, headersSeconds: 30, idleSeconds: 120, keepAliveSeconds: 60,
            bytesPerSecond: 500, graceSeconds: 5 }
`

/** Prints the address once it answers, then serves until it is interrupted, which is its normal end. */
async function run(dir: string, flags: ServeFlags & CommonFlags, context: CliContext): Promise<void> {
  const session = new Session(context, flags)
  const settings = await readServeSettings(flags, context)
  const { startServer } = await import('../../server/server.ts')
  const onRequest = requestLog(flags.quiet ? 'none' : settings.log, context)
  const onWarning = (message: string) => session.say(`warning: ${message}`)
  const server = await startServer({ ...settings.server, dir, onRequest, onWarning })
  const stopListening = context.onHangup(() => server.reload())
  try {
    const { url, host, port, metricsUrl } = server
    const auth = settings.server.auth?.kind ?? 'anonymous'
    await session.print({ url, host, port, dir, auth, ...(metricsUrl && { metricsUrl }) }, () =>
      printable(`serving ${dir} at ${url}${metricsUrl === undefined ? '' : `, metrics at ${metricsUrl}`}`),
    )
    await interrupted(context.signal)
  } finally {
    stopListening()
    await server.close()
  }
}

function requestLog(form: LogForm, { stderr }: CliContext): ((event: RequestEvent) => void) | undefined {
  if (form === 'none') return undefined
  return event => stderr.write(logLine(form, event, new Date()) ?? '')
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
