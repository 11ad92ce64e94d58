import * as z from 'zod/mini'
import { readable } from '../../config/readable.ts'
import { parseAddress } from '../address.ts'
import { ruleFault } from '../auth/rules.ts'
import { checkMirrorName } from '../mirror/mirror-name.ts'
import { parseNetwork } from '../trusted-proxies.ts'

const text = z.string().check(z.minLength(1))
const texts = z.array(text)
/** Paths start from the folder of the configuration. */
const file = text
const address = readable(parseAddress)
const seconds = z.number().check(z.gt(0), z.maximum(86_400))

const tls = z.strictObject({
  cert: file.check(z.describe('the certificate, with those between it and its authority (PEM)')),
  key: file.check(z.describe('its private key (PEM, not encrypted)')),
  clientCa: z.optional(file.check(z.describe('CAs (PEM) whose client certificates are a login'))),
  clientCertificates: z.optional(
    z
      .enum(['required', 'optional'])
      .check(z.describe('optional: who has no client certificate may log in otherwise')),
  ),
  clientUser: z.optional(
    z
      .enum(['commonName', 'dns', 'email', 'uri'])
      .check(z.describe("which of a client certificate's names is the user's; commonName if not given")),
  ),
})

const token = z.strictObject({
  service: text.check(z.describe('the name of this registry in tokens')),
  issuer: z.optional(
    text.check(z.describe('who gives out the tokens, in their words; service if not given')),
  ),
  otherServices: z.optional(
    texts.check(z.describe('other registries that tokens are given out for, by their service')),
  ),
  realm: z.optional(
    z.url().check(z.describe('where clients reach /token; the address by which they came if not given')),
  ),
  keyFile: z.optional(
    file.check(z.describe('signs the tokens (PEM), made where there is none; may be replaced at any time')),
  ),
  algorithm: z.optional(
    z.enum(['ES256', 'RS256']).check(z.describe('of a key that is made; ES256 if not given')),
  ),
  jwksFile: z.optional(
    file.check(z.describe('where the public keys are written, as /token/jwks tells them (JWKS)')),
  ),
  lifetimeSeconds: z.optional(
    z.int().check(z.minimum(60), z.maximum(86_400), z.describe('how long a token lives; 300 if not given')),
  ),
})

const external = z.strictObject({
  realm: z.url().check(z.describe('where clients get tokens')),
  service: text.check(z.describe('the name of this registry there')),
  issuer: text.check(z.describe('who gives out the tokens, in their words')),
  keys: file.check(z.describe('public keys that the tokens are signed with (JWKS or PEM)')),
})

const auth = z
  .strictObject({
    htpasswd: z.optional(file.check(z.describe('the users and their passwords (bcrypt: htpasswd -B)'))),
    anonymousPull: z.optional(
      z.boolean().check(z.describe('let everybody pull; where there are rules, they say so')),
    ),
    token: z.optional(
      token.check(z.describe('users trade their password for a token at /token; without it, Basic')),
    ),
    external: z.optional(
      external.check(z.describe('tokens of another token service, which decides alone: nothing beside it')),
    ),
  })
  .check(({ value, issues }) => {
    const { htpasswd, anonymousPull, token, external } = value
    const own = htpasswd ?? anonymousPull ?? token
    const message =
      external !== undefined && own !== undefined
        ? 'an external token service has users and rules of its own: nothing can stand beside it'
        : 'users are needed for this: htpasswd'
    const isFault = external === undefined ? htpasswd === undefined : own !== undefined
    if (isFault) issues.push({ code: 'custom', message, input: value })
  })

const rule = z.strictObject({
  repositories: texts.check(
    z.minLength(1),
    z.describe('team/app, library/* (one part of a name), team/** (one or more), ** (all)'),
  ),
  allow: z
    .array(z.enum(['pull', 'push', 'delete']))
    .check(z.minLength(1), z.describe('push brings pull with it')),
  users: z.optional(texts.check(z.describe("names of users; '*' is all who logged in"))),
  groups: z.optional(texts.check(z.describe('names of groups'))),
  anonymous: z.optional(z.boolean().check(z.describe('true: everybody, without a login too'))),
})

const limits = z.strictObject({
  connections: z.optional(z.int().check(z.minimum(1), z.describe('at a time; 4096 if not given'))),
  headersSeconds: z.optional(
    seconds.check(z.describe('for the headers of a request, or a TLS handshake; 30 if not given')),
  ),
  idleSeconds: z.optional(
    seconds.check(z.describe('of a request during which nothing moves; 120 if not given')),
  ),
  keepAliveSeconds: z.optional(
    seconds.check(z.describe('of a connection between two requests; 60 if not given')),
  ),
  bytesPerSecond: z.optional(
    z.number().check(z.minimum(0), z.describe('slower clients are cut; 500 if not given, 0 for any')),
  ),
  graceSeconds: z.optional(
    z
      .number()
      .check(
        z.minimum(0),
        z.maximum(86_400),
        z.describe('for running requests, when the server is ended; 5 if not given'),
      ),
  ),
})

const gc = z.strictObject({
  everySeconds: z.optional(seconds.check(z.describe('from one time to the next; 3600 if not given'))),
  graceSeconds: z.optional(
    z
      .number()
      .check(
        z.minimum(0),
        z.describe(
          'what was written or used in this time stays, so that pushes come to their end; 86400 if not given',
        ),
      ),
  ),
  untagged: z.optional(
    z
      .boolean()
      .check(z.describe('remove images without a tag too, which nothing with a tag needs or refers to')),
  ),
})

const mirror = z.strictObject({
  name: readable(checkMirrorName).check(
    z.describe("what its repositories have in front of their names; docker.io's are found without it too"),
  ),
  url: z.url().check(z.describe('where it is; may have the path of a proxy project')),
  freshSeconds: z.optional(
    z.number().check(z.minimum(0), z.describe('so long a tag is not looked at again there; 30 if not given')),
  ),
})

const mirrorLimits = z.strictObject({
  maxBytes: z.optional(z.number().check(z.gt(0), z.describe('of all together; any amount if not given'))),
  maxAgeDays: z.optional(
    z
      .number()
      .check(z.minimum(0), z.describe('what nobody used for so long goes; 30 if not given, 0 keeps it')),
  ),
})

/** Of the file that says how a folder is served. */
export const serveSchema = z
  .strictObject({
    address: z.optional(address.check(z.describe('where to listen, HOST:PORT; 127.0.0.1:5000 if not given'))),
    readOnly: z.optional(z.boolean().check(z.describe('refuse every push and delete'))),
    requireBlobs: z.optional(
      z.boolean().check(z.describe('refuse a manifest whose layers and config are not there, else warn')),
    ),
    log: z.optional(
      z.enum(['text', 'json', 'none']).check(z.describe('how requests are logged; text if not given')),
    ),
    tls: z.optional(tls.check(z.describe('speak HTTPS; its files are read again when they change'))),
    auth: z.optional(auth.check(z.describe('who is let in; everybody if not given'))),
    groups: z.optional(z.record(text, texts).check(z.describe('the users of each group, for rules'))),
    rules: z.optional(
      z.array(rule).check(z.describe('who may do what, where: with them, only what a rule allows')),
    ),
    trustedProxies: z.optional(
      z
        .array(readable(parseNetwork))
        .check(
          z.describe(
            'addresses and networks of proxies whose X-Forwarded-For, -Proto and -Host are believed',
          ),
        ),
    ),
    metrics: z.optional(
      z
        .strictObject({ address: address.check(z.describe('where to listen, HOST:PORT')) })
        .check(z.describe('/metrics for Prometheus, over plain HTTP and without a login')),
    ),
    gc: z.optional(
      gc.check(z.describe('remove now and then what no image needs any more; not if not given')),
    ),
    mirrors: z.optional(
      z.array(mirror).check(z.describe('other registries that are served too, as caches in front of them')),
    ),
    mirrorLimits: z.optional(mirrorLimits.check(z.describe('what is kept of the content of all mirrors'))),
    limits: z.optional(limits.check(z.describe('what clients may take of the server'))),
  })
  .check(({ value, issues }) => {
    for (const [at, rule] of (value.rules ?? []).entries()) {
      const message = ruleFault(rule, value.groups)
      if (message !== undefined) issues.push({ code: 'custom', message, input: rule, path: ['rules', at] })
    }
  })

/** How a folder is served, as the file says it. */
export type ServeConfig = Readonly<z.infer<typeof serveSchema>>
