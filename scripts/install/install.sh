#!/bin/sh
# Installs jobctl from an archive of its release, and removes it again: see docs/install.md.
#
#   curl -fsSL https://github.com/ts-job/ts-job/releases/latest/download/install.sh | sh
#
# Everything is in functions, and the last line calls one: a download that was cut runs nothing.

# The release writes its version and its public key here.
built_version=''
built_key=''
built_address='https://github.com/ts-job/ts-job/releases/download'

# Limits of what is read: bytes of each file, seconds of each download, files of an archive.
SUMS_BYTES_MAX=65536
ARCHIVE_BYTES_MAX=200000000
TAR_BYTES_MAX=600000000
DOWNLOAD_SECONDS_MAX=${JOBCTL_INSTALL_TIMEOUT:-900}
FILES_MAX=500

# What was installed, below the prefix.
MANIFEST=share/jobctl/installed

usage() {
  cat <<'USAGE'
Usage: install.sh [options]

Downloads jobctl, checks its SHA-256 and its signature, and installs it with its manual pages and completions.

  --version X          the version to install (default: that of this script)
  --prefix DIR         where to install: DIR/bin, DIR/share (default: /usr/local for root, else ~/.local)
  --from URL|DIR       where the files of the release are: https, http on this machine, or a folder
  --target NAME        linux-x64, linux-arm64, linux-x64-musl, linux-arm64-musl, darwin-x64 or darwin-arm64
                       (default: that of this machine)
  --key KEY            public key of minisign, in place of the one in this script
  --require-signature  fail if there is neither minisign nor OpenSSL 3 to check the signature
  --force              replace files that this script did not install, or a newer version; with --uninstall,
                       also remove changed files; as root, use a prefix that other users can write to
  --uninstall          remove what this script installed in the prefix, and nothing else
  --help               show this

A download may take 900 seconds; JOBCTL_INSTALL_TIMEOUT sets another limit.
Configurations, databases and logs of jobctl are never changed or removed.
USAGE
}

say() {
  printf '%s\n' "$*"
}

note() {
  printf 'install.sh: %s\n' "$*" >&2
}

# fail CODE MESSAGE [HINT]
fail() {
  printf 'install.sh: %s\n' "$2" >&2
  [ -z "${3:-}" ] || printf 'hint: %s\n' "$3" >&2
  exit "$1"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Control characters of others must not reach the terminal.
visible() {
  tr -cd '\040-\176' | cut -c 1-300
}

# A path below a folder, of plain characters.
is_plain_path() {
  case $1 in
    '' | /* | *[!A-Za-z0-9._/+@-]*) return 1 ;;
    . | .. | ./* | ../* | */. | */.. | */./* | */../* | *//* | */) return 1 ;;
  esac
}

is_version() {
  case $1 in
    '' | *[!0-9A-Za-z.+-]* | *..* | [!0-9]*) return 1 ;;
  esac
}

# --- Options

read_options() {
  version='' prefix='' from='' target='' key=$built_key
  is_forced='' is_removal='' needs_signature=''
  while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
      --*=*)
        set -- "${option#*=}" "$@"
        option=${option%%=*}
        case $option in
          --force | --uninstall | --require-signature | --help) fail 2 "Cannot read $option: it takes no value" ;;
        esac
        ;;
    esac
    case $option in
      --version | --prefix | --from | --target | --key)
        [ -n "${1:-}" ] || fail 2 "Cannot read $option: it needs a value" 'See --help'
        case $option in
          --version) version=${1#v} ;;
          --prefix) prefix=$1 ;;
          --from) from=$1 ;;
          --target) target=$1 ;;
          --key) key=$1 ;;
        esac
        shift
        ;;
      --force) is_forced=1 ;;
      --uninstall) is_removal=1 ;;
      --require-signature) needs_signature=1 ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fail 2 "Cannot read \"$(printf '%s' "$option" | visible)\": not an option" 'See --help' ;;
    esac
  done
  [ -z "$version" ] || is_version "$version" || fail 2 'Cannot read --version: not a version, such as 1.2.3'
  case $key in
    *[!A-Za-z0-9+/=]*) fail 2 'Cannot read --key: not a public key of minisign, which begins with RW' ;;
  esac
  read_prefix
}

read_prefix() {
  if [ -z "$prefix" ]; then
    if [ "$(id -u)" = 0 ]; then
      prefix=/usr/local
    else
      [ -n "${HOME:-}" ] || fail 2 'Cannot choose a folder: HOME is not set' 'Name one with --prefix'
      prefix=$HOME/.local
    fi
  fi
  case $prefix in
    *'
'*) fail 2 'Cannot use --prefix: it has a line break' ;;
    /*) ;;
    *) prefix=$(pwd)/$prefix ;;
  esac
  while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
  program=$prefix/bin/jobctl
}

# --- The system

detect_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail 1 "Cannot install on this machine: no program for its processor $machine" \
      'Use the npm package ts-job with Node, Bun or Deno' ;;
  esac
  case $system in
    Linux)
      # A 64-bit kernel can have programs of 32 bits only, as on some Raspberry Pis.
      if has getconf && [ "$(getconf LONG_BIT 2>/dev/null || :)" = 32 ]; then
        fail 1 'Cannot install on this machine: its system has 32 bits' 'Use the npm package ts-job with Node, Bun or Deno'
      fi
      host=linux-$machine
      if is_musl; then host=$host-musl; fi
      ;;
    Darwin)
      # A shell under Rosetta says x86_64.
      if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then machine=arm64; fi
      host=darwin-$machine
      ;;
    *) fail 1 "Cannot install on $system: this script knows Linux and macOS" \
      'On Windows use the .zip of the release, or npm' ;;
  esac
  [ -n "$target" ] || target=$host
  case $target in
    linux-x64 | linux-arm64 | linux-x64-musl | linux-arm64-musl | darwin-x64 | darwin-arm64) ;;
    *) fail 2 "Cannot read --target \"$(printf '%s' "$target" | visible)\": not a system of the releases" 'See --help' ;;
  esac
}

# A system can have the loader of the other library, too: gcompat on Alpine, musl on Debian. ldd is the system's own.
is_musl() {
  if has ldd; then
    case $(ldd --version 2>&1 || :) in
      *musl*) return 0 ;;
      *GLIBC* | *GNU* | *glibc*) return 1 ;;
    esac
  fi
  if has getconf && getconf GNU_LIBC_VERSION >/dev/null 2>&1; then return 1; fi
  for loader in /lib/ld-musl-*; do
    [ ! -e "$loader" ] || return 0
  done
  return 1
}

# --- Downloads

read_source() {
  if [ -z "$from" ]; then
    [ -n "$version" ] || version=$built_version
    [ -n "$version" ] || fail 2 'Cannot choose a version: this script is not from a release' 'Name one with --version, or use --from'
    from=$built_address/v$version
  fi
  from=${from%/}
  case $from in
    *[!!-~]*) case $from in *://*) fail 2 'Cannot use --from: the address has a space or a special character' ;; esac ;;
  esac
  protocol='=https' follow=--location
  case $from in
    https://*) source=network ;;
    http://*)
      is_loopback || fail 2 'Cannot use --from: http is for this machine only' 'Use an address with https'
      source=network protocol='=http' follow=--no-location
      # A proxy is for the network.
      unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
      ;;
    *://*) fail 2 'Cannot use --from: not an address with https' ;;
    *)
      source=folder
      case $from in
        /*) ;;
        *) from=./$from ;;
      esac
      [ -d "$from" ] || fail 4 "Cannot read $from: not a folder" 'Name the folder that has SHA256SUMS and the archives'
      ;;
  esac
  # An address can have a password.
  shown_from=$(printf '%s' "$from" | sed 's#//[^/@]*@#//***@#')
  [ "$source" = folder ] || choose_tool
}

is_loopback() {
  address=${from#http://}
  address=${address%%/*}
  case $address in
    *@* | *\\*) return 1 ;;
    '[::1]' | localhost | 127.0.0.1) return 0 ;;
    '[::1]:'* | localhost:* | 127.0.0.1:*) ;;
    *) return 1 ;;
  esac
  case ${address##*:} in
    '' | *[!0-9]*) return 1 ;;
  esac
}

choose_tool() {
  if has curl; then
    tool=curl
  elif has wget; then
    tool=wget
  else
    fail 1 'Cannot download: found neither curl nor wget' 'Install one of them, or download the files and use --from FOLDER'
  fi
}

# fetch NAME FILE BYTES_MAX: what failed is in $reason.
fetch() {
  reason=''
  if [ "$source" = folder ]; then
    if [ ! -f "$from/$1" ]; then
      reason='no such file'
      return 1
    fi
    head -c "$(($3 + 1))" <"$from/$1" >"$2" || fail 1 "Cannot write $2"
  else
    download "$from/$1" "$2" "$3" || return 1
  fi
  if [ "$(wc -c <"$2")" -gt "$3" ]; then
    reason="it is larger than $3 bytes"
    return 1
  fi
}

# limited SECONDS COMMAND…: runs it with a limit of time, if the system can.
limited() {
  if timeout 5 sh -c : 2>/dev/null; then
    timeout "$@"
  else
    shift
    "$@"
  fi
}

# The log has the headers of every response, to see where it was sent on to.
download() {
  log=$stage/log errors=$stage/errors status=$stage/status
  : >"$log"
  : >"$errors"
  rm -f "$status"
  {
    if [ "$tool" = curl ]; then
      curl --fail --silent --show-error --globoff --proto "$protocol" --proto-redir =https "$follow" --max-redirs 5 \
        --connect-timeout 30 --max-time "$DOWNLOAD_SECONDS_MAX" --speed-limit 1000 --speed-time 60 \
        --dump-header "$log" --output - "$1" 2>"$errors" || printf '%s\n' "$?" >"$status"
    else
      limited "$DOWNLOAD_SECONDS_MAX" wget -q -S -T 30 -t 1 -O - "$1" 2>"$log" || printf '%s\n' "$?" >"$status"
    fi
  } | head -c "$(($3 + 1))" >"$2" || fail 1 "Cannot write $2"
  if [ "$(wc -c <"$2")" -gt "$3" ]; then return 0; fi
  if [ -e "$status" ]; then
    [ "$tool" = curl ] || grep -v '^  ' "$log" >"$errors" || grep 'HTTP/' "$log" >"$errors" || echo 'no response' >"$errors"
    reason="$tool ended with $(cat "$status"): $(tail -n 1 "$errors" | sed 's#//[^/@]*@#//***@#' | visible)"
    return 1
  fi
  # wget follows to http, and some check no certificate.
  if grep -qi 'certificate validation not implemented' "$log"; then
    fail 1 'Cannot download: this wget does not check certificates' 'Install curl, or download the files and use --from FOLDER'
  fi
  onward=$(grep -i '^ *location:' "$log" | tr -d '\r' || :)
  if [ -n "$onward" ]; then
    if [ "$protocol" = =http ] ||
      printf '%s\n' "$onward" | grep -i '^ *location: *[a-z][a-z0-9+.-]*:' | grep -qiv '^ *location: *https://'; then
      reason='the server redirects to an address without https'
      return 1
    fi
  fi
}

# --- Checks

sha256_of() {
  if has sha256sum; then
    sha256sum <"$1"
  elif has shasum; then
    shasum -a 256 <"$1"
  elif has openssl; then
    openssl dgst -sha256 -r <"$1"
  else
    fail 1 'Cannot check the download: found no sha256sum, shasum or openssl' 'Install one of them'
  fi | cut -c 1-64
}

# The sum that SHA256SUMS has for a name; empty if it has none.
sum_of() {
  while read -r sum name _; do
    if [ "$name" = "$1" ] && [ ${#sum} = 64 ]; then
      printf '%s\n' "$sum"
      return 0
    fi
  done <"$stage/SHA256SUMS"
}

can_openssl() {
  has openssl || return 1
  case $(openssl version 2>/dev/null) in
    'OpenSSL '[3-9].*) openssl dgst -blake2b512 </dev/null >/dev/null 2>&1 ;;
    *) return 1 ;;
  esac
}

# What minisign does, with OpenSSL: Ed25519 over BLAKE2b-512 of the file, and over that signature and the comment.
verify_with_openssl() {
  signature=$(sed -n 2p "$stage/minisig" | tr -d '\r')
  comment_line=$(sed -n 3p "$stage/minisig" | tr -d '\r')
  global=$(sed -n 4p "$stage/minisig" | tr -d '\r')
  printf '%s' "$key" | openssl base64 -d -A >"$stage/key" || return 1
  printf '%s' "$signature" | openssl base64 -d -A >"$stage/signature" || return 1
  printf '%s' "$global" | openssl base64 -d -A >"$stage/global" || return 1
  [ "$(wc -c <"$stage/key")" -eq 42 ] && [ "$(wc -c <"$stage/signature")" -eq 74 ] || return 1
  [ "$(wc -c <"$stage/global")" -eq 64 ] && [ "$(head -c 2 "$stage/signature")" = ED ] || return 1
  {
    printf '\060\052\060\005\006\003\053\145\160\003\041\000'
    tail -c 32 "$stage/key"
  } >"$stage/key.der"
  tail -c 64 "$stage/signature" >"$stage/signature.raw"
  openssl dgst -blake2b512 -binary <"$stage/SHA256SUMS" >"$stage/hash" || return 1
  verify_raw hash signature.raw || return 1
  {
    cat "$stage/signature.raw"
    printf '%s' "${comment_line#trusted comment: }"
  } >"$stage/commented"
  verify_raw commented global
}

verify_raw() {
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$stage/key.der" -rawin -in "$stage/$1" -sigfile "$stage/$2" \
    >/dev/null 2>&1
}

# Says in $checked what was checked.
check_signature() {
  if [ -z "$key" ]; then
    [ -z "$needs_signature" ] || fail 2 'Cannot check the signature: this script has no public key' 'Name it with --key'
    checked='SHA-256; the signature was not checked: this script has no public key'
    return 0
  fi
  if has minisign; then
    checker=minisign
  elif can_openssl; then
    checker=openssl
  else
    [ -z "$needs_signature" ] ||
      fail 1 'Cannot check the signature: found neither minisign nor OpenSSL 3' 'Install minisign'
    checked='SHA-256; the signature was not checked: found neither minisign nor OpenSSL 3'
    return 0
  fi
  fetch SHA256SUMS.minisig "$stage/minisig" 4096 ||
    fail 5 "Cannot check the signature: $shown_from/SHA256SUMS.minisig: $reason" 'Do not use this download'
  if [ $checker = minisign ]; then
    minisign -V -q -m "$stage/SHA256SUMS" -x "$stage/minisig" -P "$key" >/dev/null 2>&1
  else
    verify_with_openssl
  fi || fail 5 "Cannot use $shown_from/SHA256SUMS: its signature is wrong, or of another key than $key" \
    'Do not use this download. Compare the key with the one that the project publishes'
  comment=$(sed -n '3s/^trusted comment: //p' "$stage/minisig" | visible)
  checked="SHA-256 and signature ($checker: $comment)"
}

# An old release has a good signature, too.
check_comment() {
  [ -n "${comment:-}" ] || return 0
  case $comment in
    "jobctl $version" | "jobctl $version, "*) ;;
    *) fail 5 "Cannot use $shown_from: it is signed as \"$comment\", not as version $version" 'Name that version with --version' ;;
  esac
}

# The archive of the target, which also decides the version if none was named.
choose_archive() {
  if [ -z "$version" ]; then
    while read -r _ name _; do
      case $name in
        jobctl-*-"$target".tar.*)
          found=${name#jobctl-}
          found=${found%-"$target".tar.*}
          is_version "$found" || continue
          [ -z "$version" ] || [ "$version" = "$found" ] ||
            fail 2 "Cannot choose a version: $shown_from has $version and $found" 'Name one with --version'
          version=$found
          ;;
      esac
    done <"$stage/SHA256SUMS"
    [ -n "$version" ] || fail 1 "Cannot install: $shown_from has no program for $target"
    # A mirror can have an old release, whose signature is as good.
    if [ -n "$built_version" ] && is_newer "$built_version" "$version"; then
      fail 5 "Cannot choose a version: $shown_from has $version, but this script is of $built_version" \
        "If you want the older one: --version $version"
    fi
  fi
  folder=jobctl-$version-$target
  archive=$folder.tar.zst
  wanted=$(sum_of "$archive")
  if [ -n "$wanted" ] && has zstd; then return 0; fi
  small=$wanted
  archive=$folder.tar.gz
  wanted=$(sum_of "$archive")
  if [ -z "$wanted" ]; then
    [ -z "$small" ] || fail 1 "Cannot unpack $folder.tar.zst: zstd is not installed" 'Install zstd'
    fail 1 "Cannot install: $shown_from has no $folder" 'Compare version and target with the names in SHA256SUMS'
  fi
  [ -z "$small" ] || note 'zstd is not installed, so this downloads the larger .tar.gz'
}

# --- Unpacking

unpack() {
  rm -f "$stage/failed"
  {
    case $archive in
      *.zst) zstd -q -d -c "$stage/archive" 2>/dev/null ;;
      *) gzip -d -c "$stage/archive" 2>/dev/null ;;
    esac || : >"$stage/failed"
  } | head -c "$((TAR_BYTES_MAX + 1))" >"$stage/tar" || fail 1 "Cannot write to $prefix" 'Make room on its disk'
  [ "$(wc -c <"$stage/tar")" -le "$TAR_BYTES_MAX" ] || fail 1 "Cannot unpack $archive: it is too large"
  [ ! -e "$stage/failed" ] || fail 1 "Cannot unpack $archive: it is not complete, or the disk is full"
  rm -f "$stage/archive"
  tar -tf "$stage/tar" >"$stage/names" 2>/dev/null || fail 1 "Cannot unpack $archive: it is not a tar archive"
  [ "$(wc -l <"$stage/names")" -le "$FILES_MAX" ] || fail 1 "Cannot unpack $archive: it has more than $FILES_MAX files"
  while IFS= read -r name; do
    case $name in
      "$folder"/*) is_plain_path "${name%/}" || refuse_name "$name" ;;
      *) refuse_name "$name" ;;
    esac
  done <"$stage/names"
  # Links could lead out of the folder.
  if tar -tvf "$stage/tar" 2>/dev/null | grep -q -e '^[^d-]' -e ' -> ' -e ' link to '; then
    fail 1 "Cannot unpack $archive: it has something other than files and folders" 'Do not use this download'
  fi
  mkdir "$stage/new"
  (cd "$stage/new" && tar -xof ../tar) || fail 1 "Cannot unpack $archive in $prefix" 'Make room on its disk'
  rm -f "$stage/tar"
  unpacked=$stage/new/$folder
  [ -f "$unpacked/jobctl" ] || fail 1 "Cannot unpack $archive: it has no jobctl"
}

refuse_name() {
  fail 1 "Cannot unpack $archive: it has the name \"$(printf '%s' "$1" | visible)\"" 'Do not use this download'
}

# The program must run here, before it takes the place of one that does.
try_program() {
  chmod 755 "$unpacked/jobctl"
  if [ "$target" != "$host" ]; then
    note "the program for $target was not run: this machine is $host"
    return 0
  fi
  if answer=$(limited 60 "$unpacked/jobctl" --version 2>"$stage/errors" </dev/null); then
    [ "$answer" = "$version" ] || fail 1 "Cannot install: the program says that it is \"$(printf '%s' "$answer" | visible)\", not $version"
    return 0
  fi
  problem=$(head -n 1 "$stage/errors" | visible)
  case $problem in
    *libstdc++* | *libgcc*) hint='Install the libraries first: apk add libstdc++ libgcc' ;;
    *[Pp]ermission*) hint="The file system of $prefix may not allow programs (noexec). Use another --prefix" ;;
    *) hint='Name another system with --target, or use the npm package ts-job' ;;
  esac
  fail 1 "Cannot run the program for $target here: ${problem:-it ended with an error}" "$hint"
}

# --- Installing

# Lines "MODE SOURCE DESTINATION", the program last: the new version is there when it is.
plan_files() {
  plan=$stage/plan
  : >"$plan"
  (cd "$unpacked" && find . -type f) | sed 's#^\./##' | sort >"$stage/found"
  while IFS= read -r name; do
    case $name in
      completions/*.bash) destination=share/bash-completion/completions/jobctl ;;
      completions/*.fish) destination=share/fish/vendor_completions.d/jobctl.fish ;;
      completions/*.nu) destination=share/nushell/vendor/autoload/jobctl.nu ;;
      completions/*.ps1) destination=share/jobctl/jobctl.ps1 ;;
      completions/*.zsh | completions/_jobctl | completions/*/_jobctl) destination=share/zsh/site-functions/_jobctl ;;
      man/*.[1-8])
        page=${name##*/}
        destination=share/man/man${page##*.}/$page
        ;;
      */* | jobctl) continue ;;
      *) destination=share/doc/jobctl/$name ;;
    esac
    printf '644 %s %s\n' "$name" "$destination" >>"$plan"
  done <"$stage/found"
  printf '755 jobctl bin/jobctl\n' >>"$plan"
}

# What the manifest has for a path: its sums.
recorded() {
  [ -f "$prefix/$MANIFEST" ] || return 0
  while read -r kind sum path; do
    if [ "$kind" = file ] && [ "$path" = "$1" ]; then printf '%s\n' "$sum"; fi
  done <"$prefix/$MANIFEST"
}

# Before anything is changed.
check_places() {
  while read -r _ name destination; do
    place=$prefix/$destination
    if [ -d "$place" ] && [ ! -L "$place" ]; then fail 1 "Cannot install $place: it is a folder"; fi
    if [ ! -e "$place" ] && [ ! -L "$place" ]; then continue; fi
    if [ -n "$is_forced" ]; then continue; fi
    if [ ! -L "$place" ]; then
      if [ -n "$(recorded "$destination")" ]; then continue; fi
      if [ "$(sha256_of "$place")" = "$(sha256_of "$unpacked/$name")" ]; then continue; fi
    fi
    fail 1 "Cannot install $place: the file exists, and this script did not install it" \
      'Remove it (with the package manager that installed it), use another --prefix, or replace it with --force'
  done <"$plan"
}

# is_newer A B: version A is newer than B.
is_newer() {
  [ "$1" != "$2" ] || return 1
  a=${1%%+*} b=${2%%+*}
  a_numbers=${a%%-*} b_numbers=${b%%-*}
  while [ -n "$a_numbers$b_numbers" ]; do
    a_first=${a_numbers%%.*} b_first=${b_numbers%%.*}
    case ${a_first:-0}${b_first:-0} in
      *[!0-9]* | ?????????????*) return 1 ;;
    esac
    [ "${a_first:-0}" -le "${b_first:-0}" ] || return 0
    [ "${a_first:-0}" -ge "${b_first:-0}" ] || return 1
    case $a_numbers in *.*) a_numbers=${a_numbers#*.} ;; *) a_numbers='' ;; esac
    case $b_numbers in *.*) b_numbers=${b_numbers#*.} ;; *) b_numbers='' ;; esac
  done
  # 1.0.0 is newer than 1.0.0-rc.1; two of these are not compared.
  case $a in *-*) return 1 ;; esac
  case $b in *-*) return 0 ;; esac
  return 1
}

check_installed() {
  installed=''
  if [ ! -f "$program" ] || [ ! -x "$program" ]; then return 0; fi
  installed=$(limited 60 "$program" --version 2>/dev/null </dev/null | head -n 1 | visible || :)
  is_version "$installed" || installed=''
  if [ -n "$installed" ] && [ -z "$is_forced" ] && is_newer "$installed" "$version"; then
    fail 1 "Cannot install $version: $program is the newer $installed, and an older version may refuse its store" \
      'Install an older version with --force'
  fi
}

# Make a folder below the prefix, and note which are new.
make_folder() {
  [ ! -d "$prefix/$1" ] || return 0
  case $1 in
    */*) make_folder "${1%/*}" ;;
  esac
  mkdir "$prefix/$1" || fail 1 "Cannot create $prefix/$1"
  printf 'folder - %s\n' "$1" >>"$stage/folders"
}

# The parts of a manifest, written as one file beside the old one, which it then replaces.
write_manifest() {
  {
    printf 'version - %s\n' "$version"
    cat "$@"
  } | awk '!seen[$0]++' >"$stage/manifest" || fail 1 "Cannot write to $prefix"
  move_to "$stage/manifest" "$MANIFEST"
}

# move_to FILE DESTINATION: beside the destination first, which can be on another file system, then at once.
move_to() {
  beside=$prefix/${2%/*}/.jobctl-install.$$
  mv -f "$1" "$beside" || fail 1 "Cannot write to $prefix/${2%/*}"
  sync "$beside" 2>/dev/null || :
  mv -f "$beside" "$prefix/$2" || fail 1 "Cannot write $prefix/$2"
}

install_files() {
  : >"$stage/folders"
  : >"$stage/files"
  : >"$stage/old"
  [ ! -f "$prefix/$MANIFEST" ] || grep -v '^version ' "$prefix/$MANIFEST" >"$stage/old" || :
  while read -r _ name destination; do
    printf 'file %s %s\n' "$(sha256_of "$unpacked/$name")" "$destination" >>"$stage/files"
  done <"$plan"
  # Folders first, and a manifest of old and new: whatever happens, --uninstall finds everything.
  make_folder "${MANIFEST%/*}"
  while read -r _ _ destination; do
    make_folder "${destination%/*}"
  done <"$plan"
  write_manifest "$stage/old" "$stage/folders" "$stage/files"
  while read -r mode name destination; do
    chmod "$mode" "$unpacked/$name"
    remove_leftovers "${destination%/*}"
    move_to "$unpacked/$name" "$destination"
  done <"$plan"
  # What the earlier version had and this one has not.
  while read -r kind sum path; do
    [ "$kind" = file ] || continue
    ! grep -q " $path\$" "$stage/files" || continue
    remove_file "$sum" "$path" || :
  done <"$stage/old"
  grep '^folder ' "$stage/old" >"$stage/old-folders" || :
  write_manifest "$stage/old-folders" "$stage/folders" "$stage/files"
}

# What earlier runs left when they were killed.
remove_leftovers() {
  for leftover in "$prefix/$1"/.jobctl-install.*; do
    case $leftover in *'*') continue ;; esac
    owner=${leftover##*/.jobctl-install.}
    owner=${owner%%.*}
    case $owner in '' | *[!0-9]*) continue ;; esac
    if [ "$owner" != $$ ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$leftover"; fi
  done
}

# --- Daemons and services of this program

# Numbers of the processes that run it with "serve".
daemons() {
  [ -e "$program" ] || return 0
  real=$(cd "$prefix/bin" && pwd -P)/jobctl
  if [ -e /proc/self/exe ]; then
    # One command for all: a machine can have thousands.
    # shellcheck disable=SC2012 # The names are numbers.
    ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's#^.* /proc/\([0-9]*\)/exe -> #\1 #p' |
      while IFS=' ' read -r process running; do
        if [ "$running" = "$real" ] || [ "$running" = "$real (deleted)" ]; then
          case " $(tr '\0' ' ' 2>/dev/null <"/proc/$process/cmdline" || :)" in
            *' serve '*) printf '%s ' "$process" ;;
          esac
        fi
      done
  else
    ps -A -o pid= -o args= 2>/dev/null | while read -r process running arguments; do
      case "$running $arguments " in
        "$program serve "* | "$real serve "*) printf '%s ' "$process" ;;
      esac
    done
  fi
}

service_files() {
  for unit in /etc/systemd/system/jobctl*.service /etc/init.d/jobctl /Library/LaunchDaemons/io.github.ts-job.jobctl.plist; do
    if [ -f "$unit" ] && grep -qF -- "$program" "$unit" 2>/dev/null; then printf '%s ' "$unit"; fi
  done
}

tell_next() {
  case ":${PATH:-}:" in
    *":$prefix/bin:"*) command=jobctl ;;
    *)
      command=$program
      note "$prefix/bin is not in PATH. Add it: export PATH=\"$prefix/bin:\$PATH\""
      ;;
  esac
  if [ "$command" = jobctl ] && other=$(command -v jobctl) && [ "$other" != "$program" ]; then
    note "$other comes first in PATH"
    command=$program
  fi
  case $command in *' '*) command="\"$command\"" ;; esac
  [ "$target" = "$host" ] || return 0
  running=$(daemons)
  say
  if [ -n "$running" ]; then
    say "A daemon still runs the old file (process ${running% }). Restart it:"
    if has systemctl && systemctl is-active --quiet jobctl 2>/dev/null; then
      say '  sudo systemctl restart jobctl'
    elif has systemctl && systemctl is-active --quiet jobctl-root 2>/dev/null; then
      say '  sudo systemctl restart jobctl-root'
    else
      say "  kill -TERM ${running% }    # it drains; then start it again as before"
    fi
    return 0
  fi
  say 'Next:'
  say "  $command init my-jobs           # writes a configuration and a job"
  say "  sudo $command init /etc/jobctl  # the same for a service, and says how to install it"
}

# --- Removing

# remove_file SUM PATH: only what is there as it was installed.
remove_file() {
  is_plain_path "$2" || return 1
  place=$prefix/$2
  if [ ! -e "$place" ] && [ ! -L "$place" ]; then return 0; fi
  [ -f "$place" ] || return 1
  if [ -z "$is_forced" ]; then
    [ ! -L "$place" ] && [ "$(sha256_of "$place")" = "$1" ] || return 1
  fi
  rm -f "$place" || fail 1 "Cannot remove $place"
}

uninstall() {
  manifest=$prefix/$MANIFEST
  [ -f "$manifest" ] || fail 4 "Cannot uninstall: this script has installed nothing in $prefix" 'Name the folder with --prefix'
  [ -w "${manifest%/*}" ] || fail 3 "Cannot uninstall from $prefix: you cannot write there" 'Run it with sudo'
  if [ -z "$is_forced" ]; then
    running=$(daemons)
    units=$(service_files)
    case $units in
      */jobctl-root.service*) option=' --root' ;;
      *) option='' ;;
    esac
    [ -z "$units" ] || fail 1 "Cannot uninstall: ${units% } runs $program" "Run first: sudo $program uninstall-service$option"
    [ -z "$running" ] || fail 1 "Cannot uninstall: a daemon runs (process ${running% })" 'Stop it first'
  fi
  while read -r kind sum path; do
    [ "$kind" = file ] || continue
    remove_file "$sum" "$path" || :
  done <"$manifest"
  kept=''
  while read -r kind _ path; do
    if [ "$kind" != file ] || ! is_plain_path "$path"; then continue; fi
    if [ ! -e "$prefix/$path" ] && [ ! -L "$prefix/$path" ]; then continue; fi
    case $kept in *" $prefix/$path"*) ;; *) kept="$kept $prefix/$path" ;; esac
  done <"$manifest"
  if [ -n "$kept" ]; then
    fail 1 "Kept because it was changed:$kept" 'Everything else was removed. Remove this, too, with --uninstall --force'
  fi
  folders=$(while read -r kind _ path; do
    if [ "$kind" = folder ] && is_plain_path "$path"; then printf '%s\n' "$path"; fi
  done <"$manifest" | sort -r)
  rm -f "$manifest"
  for path in $folders; do
    remove_leftovers "$path"
    rmdir "$prefix/$path" 2>/dev/null || :
  done
  say "Removed jobctl from $prefix. Configurations, databases and logs were kept."
}

# --- Steps

# Root runs what is in the prefix, and removes what its list names: nobody else may write there.
check_prefix() {
  if [ "$(id -u)" != 0 ] || [ -n "$is_forced" ]; then return 0; fi
  for place in "$prefix" "$prefix/bin" "$program" "$prefix/share" "$prefix/${MANIFEST%/*}" "$prefix/$MANIFEST"; do
    # On macOS, Homebrew's user owns what is in /usr/local.
    if [ "$place" != "$prefix" ] && [ -e /usr/bin/sw_vers ]; then continue; fi
    while [ -n "$place" ]; do
      # shellcheck disable=SC2012 # Every find has other options for this; a path has no line break.
      # The group may write: Debian lets the group staff do so in /usr/local.
      case $(ls -ldLn "$place" 2>/dev/null | awk '{ print $1, $3 }') in
        '') ;;
        d???????[!w]?*' 0' | d????????[tT]*' 0' | -???????[!w]?*' 0') ;;
        *) fail 3 "Cannot use $prefix as root: other users can write to $place" \
          'Run this as the user who owns it, use another --prefix, or trust them with --force' ;;
      esac
      place=${place%/*}
      # What is above the prefix was looked at first.
      if [ "$place" = "$prefix" ]; then place=''; fi
    done
  done
}

# Beside the target: there programs can run and files can be moved at once, unlike in a folder for temporary files.
make_stage() {
  missing=''
  above=$prefix
  while [ -n "$above" ] && [ ! -d "$above" ]; do
    missing="$missing
$above"
    above=${above%/*}
  done
  mkdir -p "$prefix" 2>/dev/null || :
  [ -w "$prefix" ] ||
    fail 3 "Cannot install to $prefix: you cannot write there" 'Run it as root, or name a folder of yours: --prefix ~/.local'
  remove_leftovers .
  stage=$(mktemp -d "$prefix/.jobctl-install.$$.XXXXXX") || fail 1 "Cannot create a folder in $prefix"
}

clean_up() {
  [ -z "$stage" ] || rm -rf "$stage"
  # Folders on the way to the prefix, if they stayed empty.
  printf '%s\n' "$missing" | while IFS= read -r above; do
    [ -z "$above" ] || rmdir "$above" 2>/dev/null || :
  done
}

install_release() {
  detect_target
  read_source
  make_stage
  fetch SHA256SUMS "$stage/SHA256SUMS" $SUMS_BYTES_MAX || fail 1 "Cannot get $shown_from/SHA256SUMS: $reason" \
    'Check the version and the connection, or use --from'
  check_signature
  choose_archive
  check_comment
  check_installed
  say "Installing jobctl $version for $target from $shown_from"
  fetch "$archive" "$stage/archive" $ARCHIVE_BYTES_MAX || fail 1 "Cannot get $shown_from/$archive: $reason" \
    'Check the connection, and run this again'
  actual=$(sha256_of "$stage/archive")
  [ "$actual" = "$wanted" ] ||
    fail 5 "Cannot use $archive: its SHA-256 is $actual, but SHA256SUMS has $wanted" \
      'The download is not complete, or the file was changed. Do not use this file: run this again'
  unpack
  try_program
  plan_files
  check_places
  install_files
  case $installed in
    '') say "Installed $program $version" ;;
    "$version") say "Reinstalled $program $version" ;;
    *) say "Installed $program $version (was $installed)" ;;
  esac
  say "Checked: $checked"
  tell_next
}

main() {
  set -eu
  umask 022
  LC_ALL=C
  export LC_ALL
  unset CDPATH TAR_OPTIONS GZIP ZSTD_NBTHREADS ZSTD_CLEVEL
  stage='' missing=''
  read_options "$@"
  check_prefix
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ -n "$is_removal" ]; then
    uninstall
  else
    install_release
  fi
}

# In braces: no part of this line is a command.
{ main "$@"; }
