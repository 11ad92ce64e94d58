import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { ecr } from '../../../src/registry/providers/ecr.ts'
import { ecrPublic } from '../../../src/registry/providers/ecr-public.ts'
import { type FakeAnswer, json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { awsKeys } from '../../support/registries/aws-api.ts'
import { type AskScriptOptions, askScript, failureOf } from './ask-script.ts'
import { all } from './scripted-registry.ts'

const account = '123456789012'
const one = digestOf('one')
const gone = json({ imageIds: [{ imageDigest: one, imageTag: 'old' }], failures: [] })
const refused = (type: string, message: string) => json({ __type: type, message }, 400)
const failed = (failureCode: string, failureReason: string) =>
  json({ imageIds: [], failures: [{ imageId: { imageTag: 'old' }, failureCode, failureReason }] })

interface Meeting extends Partial<AskScriptOptions> {
  readonly answers?: readonly FakeAnswer[]
}

/** Both are met alike; what differs is their places and names. */
const meetings = {
  'Amazon ECR': {
    provider: ecr,
    registry: `${account}.dkr.ecr.eu-central-1.amazonaws.com`,
    api: 'POST https://api.ecr.eu-central-1.amazonaws.com/',
    repository: 'team/app',
    target: 'AmazonEC2ContainerRegistry_V20150921',
    scope: 'eu-central-1/ecr',
    byTag: `aws ecr batch-delete-image --region eu-central-1 --registry-id ${account} --repository-name team/app --image-ids imageTag=old`,
    payload: { registryId: account, repositoryName: 'team/app' },
    before: [] as readonly FakeAnswer[],
  },
  'Amazon ECR Public': {
    provider: ecrPublic,
    registry: 'public.ecr.aws',
    api: 'POST https://api.ecr-public.us-east-1.amazonaws.com/',
    repository: 'a1b2c3d4/team/app',
    target: 'SpencerFrontendService',
    scope: 'us-east-1/ecr-public',
    byTag:
      'aws ecr-public batch-delete-image --region us-east-1 --repository-name team/app --image-ids imageTag=old',
    payload: { repositoryName: 'team/app' },
    before: [json(readRecorded('ecr-public-registries'))],
  },
}

describe.each(Object.entries(meetings))('at %s', (_, place) => {
  const { provider, registry, api, repository, target, before } = place
  const old = { repository, tag: 'old', digest: one, force: false }
  const meet = ({ answers = [], ...options }: Meeting = {}) =>
    askScript({
      registry,
      env: awsKeys,
      api: { [api]: [...before, ...answers] },
      own: () => ({ status: 200 }),
      ...options,
    })
  const calls = (asked: ReturnType<typeof meet>['asked']) =>
    asked.slice(before.length).map(({ headers, body }) => [headers?.['x-amz-target'], JSON.parse(body ?? '')])

  it('11. a tag is deleted by the AWS API, alone, with AWS keys', async () => {
    const { access, asked, ownLines } = meet({ answers: [gone] })
    expect(await provider.deleteTag?.(access, old)).toEqual({ tags: ['old'], manifest: false })
    expect(calls(asked)).toEqual([
      [`${target}.BatchDeleteImage`, { ...place.payload, imageIds: [{ imageTag: 'old' }] }],
    ])
    expect(asked.at(-1)?.headers?.authorization).toMatch(
      new RegExp(
        `^AWS4-HMAC-SHA256 Credential=${awsKeys.AWS_ACCESS_KEY_ID}/\\d{8}/${place.scope}/aws4_request,`,
      ),
    )
    expect(ownLines).toEqual([`HEAD https://${registry}/v2/${repository}/manifests/${one}`])
  })

  it('an image that went with its last tag is told', async () => {
    const { access } = meet({ answers: [gone], own: () => ({ status: 404 }) })
    expect(await provider.deleteTag?.(access, old)).toEqual({ tags: ['old'], manifest: true })
  })

  it('an image is deleted by its digest', async () => {
    const { access, asked } = meet({ answers: [gone] })
    await provider.deleteImage?.(access, { repository, digest: one, tags: ['old'] })
    expect(calls(asked)).toEqual([
      [`${target}.BatchDeleteImage`, { ...place.payload, imageIds: [{ imageDigest: one }] }],
    ])
  })

  it('nothing is deleted without keys, and what does it by hand is said', async () => {
    const { access, lines } = meet({ env: {} })
    const { code, shown } = await failureOf(provider.deleteTag?.(access, old))
    expect(code).toBe('UNAUTHORIZED')
    expect(shown).toContain(`cannot delete ${registry}/${repository}:old: that needs AWS keys`)
    expect(shown).toContain(place.byTag)
    expect(lines).toEqual([])
  })

  it.each([
    ['ImageNotFound', 'Requested image not found', 'NOT_FOUND'],
    ['ImageReferencedByManifestList', 'Requested image referenced by manifest list', 'UNSUPPORTED'],
    ['KmsError', 'KMS refuses', 'REGISTRY'],
  ])('a failure of one image (%s) is an error', async (failureCode, reason, code) => {
    const { access } = meet({ answers: [failed(failureCode, reason)] })
    const failure = await failureOf(provider.deleteTag?.(access, old))
    expect(failure.code).toBe(code)
    expect(failure.shown).toContain(`cannot delete ${registry}/${repository}:old: ${reason} (${failureCode})`)
  })

  it.each([
    [
      'AccessDeniedException',
      'User: arn:aws:iam::1:user/x is not authorized',
      'UNAUTHORIZED',
      'BatchDeleteImage',
    ],
    ['RepositoryNotFoundException', "The repository with name 'team/app' does not exist", 'NOT_FOUND', ''],
    ['InvalidParameterException', 'Invalid parameter', 'REGISTRY', ''],
  ])('a refusal (%s) is told in the words of AWS', async (type, message, code, hint) => {
    const { access } = meet({ answers: [refused(type, message)] })
    const failure = await failureOf(provider.deleteTag?.(access, old))
    expect(failure.code).toBe(code)
    expect(failure.shown).toContain(message)
    expect(failure.shown).toContain(hint)
    expect(failure.shown).not.toContain(awsKeys.AWS_SECRET_ACCESS_KEY)
  })

  it('an answer of another shape is refused', async () => {
    const { access } = meet({ answers: [json({ failures: 'none' })] })
    expect((await failureOf(provider.deleteTag?.(access, old))).code).toBe('INTEGRITY')
  })

  it('24. the repositories are listed with AWS keys, all pages', async () => {
    const recorded = readRecorded('ecr-repository') as object
    const page = (name: string, nextToken?: string) =>
      json({
        repositories: [{ ...recorded, repositoryName: name, repositoryUri: `${registry}/x/${name}` }],
        ...(nextToken === undefined ? {} : { nextToken }),
      })
    const script = { [api]: [page('one', 'more'), page('two', 'end'), page('three', 'more')] }
    const { access, asked } = meet({ api: script })
    expect(await all(provider.catalog?.(access))).toEqual(['x/one', 'x/two', 'x/three'])
    expect(asked.map(({ body }) => JSON.parse(body ?? '').nextToken)).toEqual([undefined, 'more', 'end'])
    expect(asked[0]?.headers?.['x-amz-target']).toBe(`${target}.DescribeRepositories`)
  })
})

it('11. keys of another account delete nothing of an alias that is not theirs at Amazon ECR Public', async () => {
  const { registry, api } = meetings['Amazon ECR Public']
  const { access, lines } = askScript({
    registry,
    env: awsKeys,
    api: { [api]: json(readRecorded('ecr-public-registries')) },
  })
  const image = { repository: 'somebody/team/app', tag: 'old', digest: one, force: false }
  const { code, shown } = await failureOf(ecrPublic.deleteTag?.(access, image))
  expect(code).toBe('UNAUTHORIZED')
  expect(shown).toContain('belong to another account than somebody')
  expect(lines).toHaveLength(1)
})

it('a web identity whose file is missing is an error that names the file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dray-test-'))
  try {
    const file = join(folder, 'token')
    const { registry } = meetings['Amazon ECR']
    const sts = 'POST https://sts.eu-central-1.amazonaws.com/'
    const env = { AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/ci', AWS_WEB_IDENTITY_TOKEN_FILE: file }
    const { access, asked } = askScript({ registry, env, api: { [sts]: { status: 403, body: '' } } })
    const image = { repository: 'team/app', tag: 'old', digest: one, force: false }
    const missing = await failureOf(ecr.deleteTag?.(access, image))
    expect(missing).toMatchObject({ code: 'IO', shown: expect.stringContaining(file) })
    await writeFile(file, 'the-token-of-the-job')
    const { code, shown } = await failureOf(ecr.deleteTag?.(access, image))
    expect(code).toBe('UNAUTHORIZED')
    expect(shown).not.toContain('the-token-of-the-job')
    expect(asked[0]?.body).toContain('the-token-of-the-job')
  } finally {
    await rm(folder, { recursive: true })
  }
})
