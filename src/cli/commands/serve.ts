import { type Command, Option } from 'commander'
import { DrayError, quote } from '../../errors.ts'
import { parseAddress } from '../../server/address.ts'
import type { Collection } from '../../server/garbage/collect.ts'
import type { RequestEvent } from '../../server/server.ts'
import { parseNetwork } from '../../server/trusted-proxies.ts'
import type { CliContext } from '../context.ts'
import { gcLogLine } from '../gc-view.ts'
import * as options from '../options.ts'
import { printable } from '../printable.ts'
import { type LogForm, logLine, warningLine } from '../request-log.ts'
import { type MirrorPlace, openMirrors, parseMirror } from '../serve-mirrors.ts'
import { readServeSettings, type ServeFlags } from '../serve-settings.ts'
import { type CommonFlags, Session } from '../session.ts'
import { parseAge, parseDuration } from '../units.ts'

interface ServeVerbFlags extends ServeFlags, CommonFlags {
  readonly printConfigSchema?: boolean
}

/** A close that takes longer is explained. */
const sayWaitingMs = 500

const helpHint = 'dray serve --help shows what it takes'

export function define(command: Command, context: CliContext): void {
  command
    .argument('[dir]', 'the folder; each repository is an OCI layout in it')
    .option(
      '-a, --address <host:port>',
      'where to listen; port 0 takes a free one (127.0.0.1:5000)',
      parseAddress,
    )
    .option('--config <file>', 'read settings from this YAML file; options are stronger (see below)')
    .option('--print-config-schema', 'print the JSON Schema of that file, for editors, and do no more')
    .option('--read-only', 'refuse every push and delete')
    .option('--require-blobs', 'refuse a manifest whose layers and config are not there (else warn)')
    .option('--gc [interval]', 'remove now and then what no image needs any more (1h)', parseInterval)
    .option('--grace-period <duration>', 'when ended, let running requests go on so long (5s)', parseDuration)
    .addOption(
      new Option('--log <form>', 'how requests are logged on stderr (text)').choices([
        'text',
        'json',
        'none',
      ]),
    )
    .option('--metrics-address <host:port>', 'where Prometheus finds /metrics; /healthz too', parseAddress)
    .option<string[]>(
      '--trusted-proxy <network>',
      "believe this proxy's X-Forwarded-For, -Proto and -Host (10.0.0.0/8); repeatable",
      (text, previous = []) => [...previous, trustedNetwork(text)],
    )
    .optionsGroup('Mirror options:')
    .option<MirrorPlace[]>(
      '--mirror <name=url>',
      'answer for another registry too, and keep what was fetched there; repeatable (see below)',
      (text, previous = []) => [...previous, parseMirror(text)],
    )
    .option('--mirror-fresh <duration>', 'look at a tag there again only after so long (30s)', parseDuration)
    .option(
      '--mirror-max-size <size>',
      'keep no more of it than this (any amount)',
      options.parsePositiveSize,
    )
    .option(
      '--mirror-max-age <age>',
      'keep what nobody used for so long no longer (30d); 0: keep it',
      parseAge,
    )
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
    .action((dir: string | undefined, flags: ServeVerbFlags) => run(dir, flags, context))
  options.addUpstreamOptions(command)
  options.addFormatOption(command, '{{.Url}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray serve ./registry', 'a registry at 127.0.0.1:5000, for this machine'],
    ['dray serve ./registry --address 0.0.0.0:5000 --htpasswd users --auth token', 'with logins, for others'],
    ['dray serve ./registry --config serve.yaml', 'with rules: who may do what'],
    ['dray serve ./cache --mirror docker.io=https://registry-1.docker.io', 'a cache in front of Docker Hub'],
    ['dray copy alpine oci:./registry/alpine:3.20', 'put an image into the folder without the server'],
  ])
  command.addHelpText('after', configHelp)
}

const configHelp = `
SIGINT and SIGTERM let running requests end, a second one does not; SIGHUP has files read again that have changed.
GET /healthz answers 200, without a login.

A mirrored registry NAME is asked at URL, with the logins and settings that other verbs use; the URL may have the path of a
proxy project. What was fetched is an OCI layout below DIR/NAME. Tags are looked at again when they are not fresh any more;
while the registry does not answer, what is here is given out with a Warning. Repositories below NAME/ cannot be written.
  dray, podman, skopeo, any client: HOST:PORT/docker.io/library/alpine; or, in registries.conf,
    [[registry]]
    prefix = "docker.io"
    location = "docker.io"
    [[registry.mirror]]
    location = "HOST:PORT/docker.io"       # insecure = true without TLS
  docker, for Docker Hub only, in /etc/docker/daemon.json: { "registry-mirrors": ["http://HOST:PORT"] }
  containerd, in /etc/containerd/certs.d/docker.io/hosts.toml: [host."http://HOST:PORT"]
    capabilities = ["pull", "resolve"]
  dray itself, in ~/.config/dray/config.yaml: registries: { docker.io: { mirrors: ["HOST:PORT/docker.io"] } }

The configuration file, with all its keys; each may be left out. Certificates, users, keys, rules and groups are read again
when they change; other changes take a new start. Editors check and complete it with
  # yaml-language-server: $schema=serve.schema.json
in its first line, after dray serve --print-config-schema > serve.schema.json
  address: 0.0.0.0:5000
  readOnly: false
  requireBlobs: false
  log: json                          # text, none
  trustedProxies: [127.0.0.1, 10.0.0.0/8] # whose X-Forwarded-For, -Proto and -Host are believed
  tls:
    cert: server.pem                 # paths start from the file's own folder
    key: server.key
    clientCa: clients.pem            # a client certificate is a login
    clientCertificates: optional     # required
    clientUser: commonName           # dns, email, uri: which of its names is the user's
  auth:
    htpasswd: users
    # anonymousPull: true            # instead of rules
    token:                           # without it: Basic
      service: registry.example.com
      issuer: registry.example.com
      otherServices: [other.example.com] # may get tokens here too
      realm: https://registry.example.com/token # else /token at the address by which clients came
      keyFile: token.key             # made where there is none; tokens of a key that was replaced go on to count
      algorithm: ES256               # RS256: of a key that is made
      jwksFile: token.jwks           # the public keys, also at /token/jwks
      lifetimeSeconds: 300
    # external: { realm: https://auth.example.com/token, service: me, issuer: them, keys: jwks.json } # alone
  groups:
    devs: [ann, bob]
  rules:                             # with them, only what a rule allows is allowed
    - { repositories: ['library/**'], allow: [pull], anonymous: true }
    - { repositories: [team/*], allow: [push, delete], users: [eve], groups: [devs] } # push brings pull
    - { repositories: ['**'], allow: [pull], users: ['*'] }                           # all who logged in
  metrics: { address: 127.0.0.1:9100 }
  gc: { everySeconds: 3600, graceSeconds: 86400, untagged: false } # as dray gc has it
  mirrors:
    - { name: docker.io, url: https://registry-1.docker.io, freshSeconds: 30 }
    - { name: ghcr.io, url: https://harbor.example.com/ghcr-proxy }
  mirrorLimits: { maxBytes: 50000000000, maxAgeDays: 30 } # of last use
  limits: { connections: 4096, headersSeconds: 30, idleSeconds: 120, keepAliveSeconds: 60,
            bytesPerSecond: 500, graceSeconds: 5 }
`

/** Prints the address once it answers, then serves until it is interrupted, which is its normal end. */
async function run(dir: string | undefined, flags: ServeVerbFlags, context: CliContext): Promise<void> {
  const session = new Session(context, flags)
  if (flags.printConfigSchema) return printSchema(session)
  if (dir === undefined) throw new DrayError('USAGE', "missing required argument 'dir'", { hint: helpHint })
  let log = flags.log ?? 'text'
  const onWarning = (message: string) => {
    if (!flags.quiet) context.stderr.write(warningLine(log, message, new Date()))
  }
  const settings = await readServeSettings(flags, { context, onWarning })
  const { startServer } = await import('../../server/server.ts')
  log = flags.quiet ? 'none' : settings.log
  const onRequest = requestLog(log, context)
  const onCollected = (collection: Collection) => {
    context.stderr.write(gcLogLine(log, collection, new Date()) ?? '')
  }
  const gc = settings.server.gc && { ...settings.server.gc, onCollected }
  await using upstreams = openMirrors(settings.mirrors, {
    context,
    flags,
    connection: options.endFlags(flags),
    onWarning,
  })
  const { mirrors } = upstreams
  const server = await startServer({ ...settings.server, mirrors, gc, dir, onRequest, onWarning })
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
    const waiting = setTimeout(() => session.say('waiting for running requests to end'), sayWaitingMs)
    await server.close()
    clearTimeout(waiting)
  }
}

async function printSchema(session: Session): Promise<void> {
  const { serveConfigSchema } = await import('../../server/settings/config-json-schema.ts')
  await session.printRaw(Buffer.from(`${JSON.stringify(serveConfigSchema(), null, 2)}\n`))
}

/** Checked when it is read, so that the option is named. */
function trustedNetwork(text: string): string {
  parseNetwork(text)
  return text
}

/** The word behind it may be meant as something else, since it can be left out. */
function parseInterval(text: string): number {
  const ms = /^\d/.test(text) ? parseDuration(text) : 0
  if (ms > 0) return ms
  throw new DrayError('USAGE', `--gc: ${quote(text)} is no time to wait`, {
    hint: 'give it one, as in --gc 1h, or put it behind the folder',
  })
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
