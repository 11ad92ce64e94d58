export { type Config, openConfig } from './config/config.ts'
export { configSchema } from './config/json-schema.ts'
export type { RegistrySettings } from './config/settings.ts'
export type { Credential, CredentialTarget, FindCredential } from './credential.ts'
export type {
  ConfiguredLogin,
  CredentialContext,
  CredentialEntry,
  ListedLogin,
} from './credentials/context.ts'
export {
  type Credentials,
  openCredentials,
  type PlaceAnswer,
  type SearchStep,
  type StoredCredential,
} from './credentials/credentials.ts'
export type { CredentialPlace, KeptLogin, LoginStore } from './credentials/kept-logins.ts'
export { type DiffOptions, diffImages, type ImageDiff } from './diff/diff-images.ts'
export { type ImageFolder, openImageFolder } from './dir/image-folder.ts'
export { type DockerArchive, openDockerArchive } from './docker-archive/docker-archive.ts'
export {
  type DockerArchiveDestination,
  openDockerArchiveDestination,
} from './docker-archive/docker-archive-destination.ts'
export { openDaemonDestination } from './docker-daemon/daemon-destination.ts'
export { DaemonImage } from './docker-daemon/daemon-image.ts'
export { connectEngine, type Engine } from './docker-daemon/engine.ts'
export { DrayError, type DrayErrorOptions, type ErrorCode, isDrayError } from './errors.ts'
export { exportImage, exportLayer } from './filesystem/export-image.ts'
export { type ImageLayers, layersOf, oneLayer, withDiffIds } from './filesystem/image-layers.ts'
export { type FileRow, listFiles, listLayer } from './filesystem/list-files.ts'
export { fileContent } from './filesystem/read-file.ts'
export { type Chunks, type Flow, flow, pour, type Take } from './flow.ts'
export type { HttpRequest, HttpResponse, Middleware, Send } from './http/message.ts'
export { stack } from './http/message.ts'
export type { PaceLimits } from './http/pace.ts'
export type { Clock, RetryEvent, RetryPolicy } from './http/retry.ts'
export type { ProxySettings, Transport, TransportOptions } from './http/send.ts'
export { createTransport } from './http/send.ts'
export type { TlsSettings } from './http/tls.ts'
export type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from './image-store.ts'
export { type Layout, type OpenLayoutOptions, openLayout } from './layout/layout.ts'
export { type LayoutArchive, openLayoutArchive } from './layout/layout-archive.ts'
export {
  type LayoutArchiveDestination,
  openLayoutArchiveDestination,
} from './layout/layout-archive-destination.ts'
export { type ImageConfig, parseConfig } from './oci/config.ts'
export type { Descriptor } from './oci/descriptor.ts'
export { type Digest, type DigestAlgorithm, digestOf, isDigest, parseDigest } from './oci/digest.ts'
export {
  type ArtifactManifest,
  childBlobs,
  childManifests,
  descriptorOf,
  type ImageIndex,
  type ImageManifest,
  type Manifest,
} from './oci/manifest.ts'
export { mediaTypes } from './oci/media-types.ts'
export { parseManifest } from './oci/parse-manifest.ts'
export { formatPlatform, matchesPlatform, type Platform, parsePlatform } from './oci/platform.ts'
export { formatReference, parseReference, type Reference } from './oci/reference.ts'
export type { RegistryEvent } from './registry/context.ts'
export { type DeletedImage, type DeleteImageOptions, deleteImage } from './registry/delete-image.ts'
export type { Mirror, RepositorySource } from './registry/mirrors.ts'
export type { TokenOptions } from './registry/obtain-token.ts'
export type { FoundRepository, ProviderId } from './registry/providers/provider.ts'
export type { RateLimit } from './registry/rate-limit.ts'
export { type LimitedImage, readRateLimit } from './registry/read-rate-limit.ts'
export type { ReferrersOptions } from './registry/referrers.ts'
export { Registry, type RegistryOptions, type RepositoryOptions } from './registry/registry.ts'
export { RegistryError } from './registry/registry-error.ts'
export { Repository } from './registry/repository.ts'
export type { CertificateUser } from './server/auth/certificate-login.ts'
export { readHtpasswd } from './server/auth/htpasswd.ts'
export { type PublicKeys, readPublicKeys } from './server/auth/public-keys.ts'
export { type TokenAlgorithm, TokenKey } from './server/auth/token-key.ts'
export type { Users } from './server/auth/users.ts'
export {
  type Collection,
  type CollectionFailure,
  type CollectOptions,
  collectGarbage,
  type Removal,
} from './server/garbage/collect.ts'
export {
  type AccessRules,
  type AccessSource,
  type GcOptions,
  type MirroredRegistry,
  type MirrorLimits,
  type RegistryServer,
  type RequestEvent,
  type Right,
  type Rule,
  type ServerAuth,
  type ServerLimits,
  type ServerOptions,
  startServer,
  type TlsOptions,
  type Upstream,
} from './server/server.ts'
export { copyImage } from './transfer/copy.ts'
export type { CopyOptions } from './transfer/copy-options.ts'
export type { CopyResult } from './transfer/copy-result.ts'
export type { OnTransferEvent, TransferEvent } from './transfer/events.ts'
export { type FindImageOptions, type FoundImage, findImage } from './transfer/find-image.ts'
export { type ReadBlobOptions, readBlob } from './transfer/read-blob.ts'
export type { Finding } from './validate/finding.ts'
export { type ValidateOptions, type Validation, validateImage } from './validate/validate-image.ts'
export type { AskWebService, WebAnswer, WebRequest } from './web-service.ts'
