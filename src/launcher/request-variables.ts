// Which variables a request may set for the process that it launches: those that the manifest names, and of these none that makes
// a program load, run or trust something else. Invariant: who may launch a pattern can run that pattern, and nothing but that.
import { LauncherError } from './errors.js';
import type { Manifest } from './manifest.js';
import { LEAST_TOKEN } from './token-store.js';

/** Set by the launcher for every process. */
const RESERVED = new Set(['PATTERN_NAME', 'NAMESPACE', 'SESSION_ID', 'GRPC_PORT', 'HEALTH_PORT', 'PROCESS_ID']);

/** Names by which linkers, shells, interpreters and well-known tools are told what to load, run or trust. */
const LOADERS: readonly RegExp[] = [
  // Linkers and the C library.
  /^(?:LD|DYLD|_RLD|LDR|GCONV|MALLOC|GLIBC|LIBPATH|SHLIB)(?:_|$)/,
  /^(?:GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|NIS_PATH|NLSPATH|RES_OPTIONS|TZDIR|TERMINFO|TERMINFO_DIRS|TERMCAP|TMPDIR|TEMP|TMP)$/,
  // Shells, and what they and their like look at for a user's files and helpers.
  /^(?:PATH|IFS|ENV|CDPATH|FPATH|GLOBIGNORE|PS[0-4]|PROMPT_COMMAND|SHELL|SHELLOPTS|ZDOTDIR|HOME|USER|LOGNAME|PWD|OLDPWD|EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESSOPEN|LESSCLOSE|DISPLAY)$/,
  /^(?:PATHEXT|COMSPEC|SYSTEMROOT|WINDIR|APPDATA|LOCALAPPDATA|USERPROFILE|HOMEDRIVE|HOMEPATH|PSMODULEPATH)$/,
  /^(?:BASH|XDG_|SUDO_)/,
  // JavaScript.
  /^(?:NODE(?!_ENV$)|NPM|YARN|PNPM|COREPACK|BUN|DENO|ELECTRON|TSX|ESBUILD|V8|UV|MIMAS)(?:_|$)/, /^TS_NODE/,
  // Other languages.
  /^(?:PYTHON|PERL|RUBY|GEM_|BUNDLE_|LUA_|TCL|PHP|R_|GUILE|JULIA_|ERL_|ELIXIR|MIX_|HEX_|GHC|CARGO|CONDA|AWKPATH|AWKLIBPATH|VIRTUAL_ENV)/,
  /^(?:GO(?:PATH|ROOT|FLAGS|DEBUG|TRACEBACK|PROXY|ENV)|RUST(?:C|FLAGS|C_WRAPPER|DOC|UP_HOME)|CLASSPATH)$/,
  /^_?(?:JAVA|JDK|JRE|JVM|MAVEN|GRADLE|SCALA|KOTLIN|GROOVY)_/, /^(?:DOTNET|CORECLR|COR|COMPLUS|MONO|NUGET)_/,
  // Tools that run what they are told, and what a program trusts or is led to.
  /^(?:GIT|SSH|RSYNC|CVS|SVN|HG|GPG|DOCKER|KRB5|SYSTEMD|DBUS|GTK|QT|GST|GIO|PKG_CONFIG|CMAKE|CURL|OPENSSL|SSL|GNUTLS|NSS)(?:_|$)/,
  /^(?:HGRCPATH|GNUPGHOME|KUBECONFIG|MAKEFLAGS|MFLAGS|MAKEFILES|WGETRC|SSLKEYLOGFILE|REQUESTS_CA_BUNDLE|(?:ALL|HTTPS?|FTP|NO)_PROXY|AWS_(?:CA_BUNDLE|CONFIG_FILE|SHARED_CREDENTIALS_FILE))$/,
];

/** The token that callers of a Mimas process show: it belongs to who launches it. */
const OWN_TOKEN = 'MIMAS_TOKEN';
/** Shells import functions by other names, such as `BASH_FUNC_ls%%`. */
const ORDINARY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** It makes programs load, run or trust something, so no request ever sets it. Case does not matter: `http_proxy` is one, too. */
export const isLoader = (name: string): boolean => name !== OWN_TOKEN && (!ORDINARY.test(name) || LOADERS.some((pattern) => pattern.test(name.toUpperCase())));

/** A name, or the beginning of names with a star. */
export const isVariablePattern = (text: string): boolean => /^(?:\*|[A-Za-z_][A-Za-z0-9_]*\*?)$/.test(text);

const fits = (name: string, pattern: string): boolean => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);

/** @throws LauncherError INVALID_CONFIGURATION, VARIABLE_REFUSED; then nothing is launched */
export function checkVariables(config: Readonly<Record<string, string>>, manifest: Manifest): void {
  for (const [name, value] of Object.entries(config)) {
    const refuse = (why: string, suggestion?: string) => new LauncherError('VARIABLE_REFUSED', `config: ${JSON.stringify(name)} ${why}`, { context: { pattern: manifest.name, variable: name, manifest: manifest.file }, suggestion });
    if (RESERVED.has(name)) throw refuse('is set by the launcher', 'Leave it out');
    if (isLoader(name)) throw refuse('is never taken from a request: it makes programs load, run or trust something else', `If ${manifest.name} needs it, write it under \`environment\` in ${manifest.file}`);
    const ownToken = name === OWN_TOKEN && manifest.process !== undefined;
    if (ownToken && value.length < LEAST_TOKEN) throw new LauncherError('INVALID_CONFIGURATION', `config: MIMAS_TOKEN must have ${LEAST_TOKEN} characters or more`, { context: { pattern: manifest.name }, suggestion: 'Give a longer one' });
    if (!ownToken && !Object.hasOwn(manifest.environment, name) && !manifest.config.some((pattern) => fits(name, pattern))) {
      throw refuse(`may not be set by requests for ${manifest.name}`, `Write \`config: [${name}]\` in ${manifest.file} if it may`);
    }
  }
}
