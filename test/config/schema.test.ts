import { expect, it } from 'vitest'
import { configSchema } from '../../src/config/json-schema.ts'

interface Schema {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly type?: string
}

it('the JSON Schema for editors knows every key, says what it is for, and allows no other', () => {
  const { properties = {}, additionalProperties } = configSchema() as Schema
  expect(additionalProperties).toBe(false)
  const [registries] = properties.registries?.anyOf ?? []
  const entry = registries?.additionalProperties as Schema
  const [registry] = entry.anyOf ?? []
  expect(registry?.additionalProperties).toBe(false)
  expect(Object.keys(registry?.properties ?? {}).sort()).toEqual([
    'blocked',
    'caFile',
    'certFile',
    'headers',
    'helper',
    'identityTokenEnv',
    'insecure',
    'jobs',
    'keyFile',
    'mirrors',
    'password',
    'passwordEnv',
    'passwordFile',
    'plainHttp',
    'provider',
    'requestsPerSecond',
    'username',
  ])
  for (const [name, { description }] of Object.entries(registry?.properties ?? {})) {
    expect(description, name).toEqual(expect.any(String))
  }
})
