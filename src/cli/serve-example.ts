/** The file that says how a folder is served, with all its keys; it makes sense as it stands. Each may be left out. */
export const serveConfigExample = `# yaml-language-server: $schema=serve.schema.json
# Certificates, users, keys, rules and groups are read again when they change; other changes take a new start.
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
