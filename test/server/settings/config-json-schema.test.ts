import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { serveConfigExample } from '../../../src/cli/serve-example.ts'
import { readServeConfig } from '../../../src/server/settings/config-file.ts'
import { serveConfigSchema } from '../../../src/server/settings/config-json-schema.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

interface Schema {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly required?: readonly string[]
}

/** `auth.token.service` and the like, with the schema of each. */
function keysOf(schema: Schema, path: readonly string[] = []): [path: string, schema: Schema][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const here = [...path, key]
    return [[here.join('.'), value] as [string, Schema], ...keysOf(value, here)]
  })
  return schema.items === undefined ? own : [...own, ...keysOf(schema.items, path)]
}

describe('the JSON Schema of the configuration', () => {
  const schema = serveConfigSchema() as Schema
  const keys = keysOf(schema)

  it('knows its keys, and allows no others', () => {
    const names = keys.map(([name]) => name)
    for (const name of [
      'address',
      'auth.token.keyFile',
      'rules.allow',
      'limits.graceSeconds',
      'metrics.address',
    ]) {
      expect(names).toContain(name)
    }
    for (const [name, { properties, items, additionalProperties }] of [['', schema] as const, ...keys]) {
      if (properties) expect(additionalProperties, name).toBe(false)
      if (items?.properties) expect(items.additionalProperties, name).toBe(false)
    }
  })

  it.each(keys)('says what %s is for', (_, { description }) => {
    expect(description).toMatch(/^\S.{8,120}$/)
  })

  it.each(keys)('has %s in the example too', (name, _) => {
    const key = name.split('.').at(-1)
    expect(serveConfigExample).toMatch(new RegExp(`(^|[ {#])${key}:`, 'm'))
  })

  it('fits the example, which makes sense as it stands', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'serve.yaml')
    await writeFile(file, serveConfigExample)
    const config = await readServeConfig(file, '/')
    expect(Object.keys(schema.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(config)))
    expect(config).toMatchObject({ auth: { token: { lifetimeSeconds: 300 } }, rules: { length: 3 } })
  })
})
