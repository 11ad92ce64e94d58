import * as z from 'zod/mini'
import { readable } from '../config/readable.ts'
import { parseAddress } from './address.ts'
import { ruleFault } from './auth/rules.ts'

const text = z.string().check(z.minLength(1))
const texts = z.array(text)
const file = text
const address = readable(parseAddress)
const seconds = z.number().check(z.gt(0), z.maximum(86_400))

const tls = z.strictObject({
  cert: file,
  key: file,
  clientCa: z.optional(file),
  clientCertificates: z.optional(z.enum(['required', 'optional'])),
  clientUser: z.optional(z.enum(['commonName', 'dns', 'email', 'uri'])),
})

const token = z.strictObject({
  service: text,
  issuer: z.optional(text),
  otherServices: z.optional(texts),
  realm: z.optional(z.url()),
  keyFile: z.optional(file),
  algorithm: z.optional(z.enum(['ES256', 'RS256'])),
  jwksFile: z.optional(file),
  lifetimeSeconds: z.optional(z.int().check(z.minimum(60), z.maximum(86_400))),
})

const external = z.strictObject({ realm: z.url(), service: text, issuer: text, keys: file })

const auth = z
  .strictObject({
    htpasswd: z.optional(file),
    anonymousPull: z.optional(z.boolean()),
    token: z.optional(token),
    external: z.optional(external),
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
  repositories: texts.check(z.minLength(1)),
  allow: z.array(z.enum(['pull', 'push', 'delete'])).check(z.minLength(1)),
  users: z.optional(texts),
  groups: z.optional(texts),
  anonymous: z.optional(z.boolean()),
})

const limits = z.strictObject({
  connections: z.optional(z.int().check(z.minimum(1))),
  headersSeconds: z.optional(seconds),
  idleSeconds: z.optional(seconds),
  keepAliveSeconds: z.optional(seconds),
  bytesPerSecond: z.optional(z.number().check(z.minimum(0))),
  graceSeconds: z.optional(z.number().check(z.minimum(0), z.maximum(86_400))),
})

/** Of the file that says how a folder is served. */
export const serveSchema = z
  .strictObject({
    address: z.optional(address),
    readOnly: z.optional(z.boolean()),
    requireBlobs: z.optional(z.boolean()),
    log: z.optional(z.enum(['text', 'json', 'none'])),
    tls: z.optional(tls),
    auth: z.optional(auth),
    groups: z.optional(z.record(text, texts)),
    rules: z.optional(z.array(rule)),
    metrics: z.optional(z.strictObject({ address })),
    limits: z.optional(limits),
  })
  .check(({ value, issues }) => {
    for (const [at, rule] of (value.rules ?? []).entries()) {
      const message = ruleFault(rule, value.groups)
      if (message !== undefined) issues.push({ code: 'custom', message, input: rule, path: ['rules', at] })
    }
  })

/** How a folder is served, as the file says it. */
export type ServeConfig = Readonly<z.infer<typeof serveSchema>>
