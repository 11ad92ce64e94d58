import { describe, expect, it } from 'vitest'
import { scriptedWeb } from '../../aws/scripted-web.ts'
import { openPlaces } from './places.ts'

/** A job that has a login for every provider. */
const everything = {
  GITHUB_TOKEN: 'secret',
  CI_REGISTRY: 'registry.gitlab.example:5050',
  CI_REGISTRY_USER: 'secret',
  CI_REGISTRY_PASSWORD: 'secret',
  CI_JOB_TOKEN: 'secret',
  CI_DEPENDENCY_PROXY_SERVER: 'gitlab.example:443',
  CI_DEPENDENCY_PROXY_USER: 'secret',
  CI_DEPENDENCY_PROXY_PASSWORD: 'secret',
  AWS_ACCESS_KEY_ID: 'secret',
  AWS_SECRET_ACCESS_KEY: 'secret',
  GOOGLE_OAUTH_ACCESS_TOKEN: 'secret',
  AZURE_CLIENT_ID: 'secret',
  AZURE_TENANT_ID: 'secret',
  AZURE_CLIENT_SECRET: 'secret',
}

const github = 'GitHub Actions'
const gitlab = 'GitLab CI'
const proxy = 'GitLab CI dependency proxy'
const amazon = 'Amazon ECR'
const google = 'Google Artifact Registry'
const azure = 'Azure Container Registry'

describe('a provider has a say', () => {
  it.each([
    ['ghcr.io', github],
    ['GHCR.io', github],
    ['registry.gitlab.example:5050', gitlab],
    ['gitlab.example', proxy],
    ['gitlab.example:443', proxy],
    ['123456789012.dkr.ecr.eu-central-1.amazonaws.com', amazon],
    ['public.ecr.aws', amazon],
    ['gcr.io', google],
    ['eu.gcr.io', google],
    ['us-central1-docker.pkg.dev', google],
    ['example.azurecr.io', azure],
    ['example-x1y2.azurecr.io', azure],
  ])('about %s: %s', (registry, name) => {
    expect(
      openPlaces(everything)
        .describe(registry)
        .map(place => place.name),
    ).toEqual([name])
  })
})

describe('no provider has a say, and none gives a login,', () => {
  it.each([
    'docker.io',
    'localhost:5000',
    'evil-ghcr.io',
    'x.ghcr.io',
    'ghcr.io.evil.example',
    'ghcr.io:8443',
    'docker.pkg.github.com',
    'registry.gitlab.example',
    'registry.gitlab.example:443',
    'registry.gitlab.example:5051',
    'registry.gitlab.example:5050.evil.example',
    'registry.gitlab.com',
    'gitlab.example:5000',
    'x.gitlab.example',
    '123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example',
    'public.ecr.aws.evil.example',
    'evil-gcr.io',
    'a.b.gcr.io',
    'gcr.io.evil.example',
    'pkg.dev',
    'pkg.dev.evil',
    'us-docker.pkg.dev.evil',
    'us-docker.evil-pkg.dev',
    'azurecr.io',
    'evil-azurecr.io',
    'example.azurecr.io.evil.example',
    'example.azurecr.de',
    // Its cloud has an authority of its own, which was not named.
    'example.azurecr.cn',
    'example.azurecr.us',
    'mcr.microsoft.com',
    '',
  ])('about %s', async registry => {
    const web = scriptedWeb()
    const places = openPlaces(everything, web.ask)
    expect(places.describe(registry)).toEqual([])
    expect(await places.find(registry)).toBeUndefined()
    expect(web.lines).toEqual([])
  })

  it('about any registry where GitLab names none', () => {
    const places = openPlaces({ CI_REGISTRY: '', CI_JOB_TOKEN: 'secret' })
    expect(places.describe('')).toEqual([])
    expect(places.describe('registry.gitlab.com')).toEqual([])
  })

  it.each(['https://github.example', 'https://github.com.evil.example', 'http://github.com'])(
    'about ghcr.io in a job of %s',
    server =>
      expect(openPlaces({ ...everything, GITHUB_SERVER_URL: server }).describe('ghcr.io')).toEqual([]),
  )

  it.each(['https://login.evil.example', 'http://login.microsoftonline.com', 'login.microsoftonline.com'])(
    "about Azure's registries where the authority is %s",
    authority => {
      const places = openPlaces({ ...everything, AZURE_AUTHORITY_HOST: authority })
      expect(places.describe('example.azurecr.io')).toEqual([])
    },
  )
})

describe('the authority of a cloud of Azure goes with', () => {
  it.each([
    ['https://login.microsoftonline.com/', 'io'],
    ['https://login.chinacloudapi.cn', 'cn'],
    ['https://login.partner.microsoftonline.cn', 'cn'],
    ['https://login.microsoftonline.us', 'us'],
  ])('%s: azurecr.%s only', (authority, suffix) => {
    const places = openPlaces({ ...everything, AZURE_AUTHORITY_HOST: authority })
    const fitting = ['io', 'cn', 'us'].filter(end => places.describe(`example.azurecr.${end}`).length > 0)
    expect(fitting).toEqual([suffix])
  })
})

describe('what is told of the variables', () => {
  it.each<[string, Record<string, string>, string[], string[]]>([
    ['ghcr.io', { GITHUB_TOKEN: 'x' }, ['GITHUB_TOKEN'], []],
    ['ghcr.io', { GITHUB_TOKEN: '' }, [], ['GITHUB_TOKEN']],
    ['public.ecr.aws', {}, [], ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']],
    ['public.ecr.aws', { AWS_ACCESS_KEY_ID: 'x' }, ['AWS_ACCESS_KEY_ID'], ['AWS_SECRET_ACCESS_KEY']],
    [
      'public.ecr.aws',
      { AWS_ACCESS_KEY_ID: 'x', AWS_ROLE_ARN: 'x', AWS_WEB_IDENTITY_TOKEN_FILE: 'x' },
      ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
      [],
    ],
    ['gcr.io', { GOOGLE_APPLICATION_CREDENTIALS: 'x' }, ['GOOGLE_APPLICATION_CREDENTIALS'], []],
    [
      'example.azurecr.io',
      { AZURE_CLIENT_ID: 'x', AZURE_TENANT_ID: 'x' },
      ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID'],
      ['AZURE_FEDERATED_TOKEN_FILE'],
    ],
  ])('for %s with %o', (registry, env, set, missing) => {
    expect(openPlaces(env).describe(registry)).toMatchObject([{ set, missing }])
  })

  it('is names alone, never what stands in them', () => {
    const places = openPlaces(everything)
    const told = ['ghcr.io', 'public.ecr.aws', 'gcr.io', 'example.azurecr.io'].map(places.describe)
    expect(JSON.stringify(told)).not.toContain('secret')
  })
})
