# shellcheck shell=bash
#
# lib.sh: what bootstrap, demo and test have in common.
#
# Everything happens in one throw-away directory ($work): a copy of the
# sources, a private copy of the PostgreSQL server, its data directory and its
# socket.  The repository and the system's PostgreSQL are only read.  A server
# is never run as root: root borrows the user "postgres", anybody else runs it
# under their own name.

set -euo pipefail
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
umask 022

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
work=
child=
server_user=

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# ---------------------------------------------------------------------------
# Which PostgreSQL
# ---------------------------------------------------------------------------

pg_lib() { echo "/usr/lib/postgresql/$1"; }

has_server() { [ -x "$(pg_lib "$1")/bin/postgres" ] && [ -x "$(pg_lib "$1")/bin/psql" ]; }

has_headers()
{
	[ -x "$(pg_lib "$1")/bin/pg_config" ] &&
		[ -e "$(pg_lib "$1")/lib/pgxs/src/makefiles/pgxs.mk" ] &&
		[ -e "/usr/include/postgresql/$1/server/postgres.h" ]
}

# The major version to work with: PG_MAJOR, else the newest installed one that
# can be built against, else the newest installed one, else nothing.
pick_major()
{
	local dir major newest=

	if [ -n "${PG_MAJOR:-}" ]; then
		[[ $PG_MAJOR =~ ^[1-9][0-9]$ ]] && [ "$PG_MAJOR" -ge 13 ] ||
			die "PG_MAJOR is \"$PG_MAJOR\", but must be a major version of PostgreSQL, 13 or later"
		echo "$PG_MAJOR"
		return
	fi

	while read -r major; do
		has_server "$major" || continue
		if has_headers "$major"; then
			echo "$major"
			return
		fi
		newest=${newest:-$major}
	done < <(for dir in /usr/lib/postgresql/[1-9][0-9]; do
		[ "${dir##*/}" = '[1-9][0-9]' ] || [ "${dir##*/}" -lt 13 ] || echo "${dir##*/}"
	done | sort -rn)
	echo "$newest"
}

# A compiler that can compile, link the mathematics library and the sanitisers
# of the unit tests: gcc may be there without the C library's headers.
has_compiler()
{
	local dir ok=0

	command -v gcc >/dev/null || return 1
	dir=$(mktemp -d) || die "no temporary directory: TMPDIR is \"${TMPDIR:-}\""
	printf '#include <stdio.h>\n#include <math.h>\nint main(int n, char **v) { (void) v; return printf("%%f", sqrt(n)) < 0; }\n' >"$dir/t.c"
	gcc -fsanitize=address,undefined -o "$dir/t" "$dir/t.c" -lm >/dev/null 2>&1 || ok=1
	rm -rf "$dir"
	return $ok
}

# The optimiser that fits the models, with its header.
has_nlopt()
{
	echo '#include <nlopt.h>' | gcc -fsyntax-only -x c - >/dev/null 2>&1 &&
		echo 'int main(void) { return 0; }' | gcc -x c -o /dev/null - -lnlopt >/dev/null 2>&1
}

# ---------------------------------------------------------------------------
# The throw-away directory and the user who owns it
# ---------------------------------------------------------------------------

# Run a command as the server's user, in the copy of the sources, with an
# environment of our own: no PGHOST, MAKEFLAGS or CFLAGS of the caller's.
as_server()
{
	local -a run=(env -i
		PATH="$work/lib/postgresql/$major/bin:/usr/bin:/bin"
		HOME="$work" TMPDIR="$work/tmp" TERM="${TERM:-dumb}"
		LANG=C.UTF-8 LC_ALL=C.UTF-8
		PGHOST="$work/socket" PGUSER=postgres PGDATABASE=postgres
		CUSTOMER_TIER_SHARED="$([ ! -d "$work/shared" ] || echo "$work/shared")"
		"$@")

	if [ "$(id -u)" = 0 ]; then
		run=(setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups "${run[@]}")
	fi
	(cd "$work/src" && exec "${run[@]}")
}

# Run a long command so that a signal to this script is acted on at once: in a
# process group of its own, which clean_up can end as a whole.
run()
{
	local status=0

	set -m
	"$@" &
	child=$!
	set +m
	wait "$child" || status=$?
	child=
	return $status
}

# Stop what was started here and remove the directory.  A server is ours when
# its pid file is in our directory and the process runs in that directory.
clean_up()
{
	local status=$? file pid try

	trap - EXIT
	trap '' INT TERM HUP PIPE
	set +e
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	if [ -n "$work" ] && [ -d "$work" ]; then
		while read -r file; do
			pid=$(head -n 1 "$file")
			[[ $pid =~ ^[0-9]+$ ]] && [ "$(readlink "/proc/$pid/cwd")" = "${file%/*}" ] || continue
			kill -INT "$pid" 2>/dev/null
			for ((try = 0; try < 300; try++)); do
				kill -0 "$pid" 2>/dev/null || break
				[ "$try" != 200 ] || kill -QUIT "$pid" 2>/dev/null
				sleep 0.1
			done
		done < <(find "$work" -name postmaster.pid 2>/dev/null)
		cd /
		rm -rf "$work"
	fi
	exit "$status"
}

# Make $work: somewhere programs may be run from, reachable for the server's
# user, and short enough a path for a Unix socket.
make_work()
{
	local base

	if [ "$(id -u)" = 0 ]; then
		server_user=postgres
		id -u "$server_user" >/dev/null 2>&1 || server_user=nobody
	else
		server_user=$(id -un)
	fi

	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 141' PIPE
	trap 'exit 143' TERM
	for base in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
		[ "${#base}" -le 30 ] || continue
		work=$(mktemp -d "$base/customer_tier.XXXXXXXX" 2>/dev/null) || continue
		work=$(cd "$work" && pwd -P)
		mkdir "$work/src" "$work/tmp" "$work/socket"
		[ "$(id -u)" != 0 ] || chown -R "$server_user:$(id -g "$server_user")" "$work"
		if as_server sh -c 'echo "#!/bin/sh" >../try && chmod +x ../try && ../try && rm ../try' 2>/dev/null; then
			return
		fi
		rm -rf "$work"
	done
	work=
	die "neither TMPDIR nor /tmp nor /var/tmp is a directory where programs can be written and run"
}

# ---------------------------------------------------------------------------
# Build and run
# ---------------------------------------------------------------------------

# Copy what building and testing need, and nothing a previous build left.
copy_sources()
{
	local -a what=()
	local path

	for path in Makefile META.json LICENSE README.md CHANGELOG.md .ci src sql expected test script bench docs; do
		[ ! -e "$repo/$path" ] || what+=("$path")
	done
	for path in "$repo"/*.control "$repo"/*--*--*.sql; do
		[ ! -e "$path" ] || what+=("${path##*/}")
	done
	tar -C "$repo" --exclude='*.o' --exclude='*.so' --exclude='*.bc' --exclude=test/unit/build \
		--exclude=tmp_check -cf - "${what[@]}" | as_server tar -xf - --no-same-owner
}

# Copies of the real data and the reference values, readable for the server's user.
copy_shared()
{
	local from=${CUSTOMER_TIER_SHARED:-$repo/../shared}

	[ -d "$from/data" ] && [ -d "$from/reference" ] || return 0
	as_server mkdir "$work/shared"
	tar -C "$from" -cf - data reference | as_server tar -C "$work/shared" -xf - --no-same-owner
	chmod -R u+w "$work/shared"
}

# The server's own trees, moved together as Debian lays them out, find each
# other by themselves: a private server to install into.  The headers are only
# read; a link keeps them the same directory under both names, so that the
# compiler takes them for the system's whichever pg_config says.
copy_server()
{
	local tree bin="$work/lib/postgresql/$major/bin"

	as_server mkdir -p "$work/include/postgresql"
	as_server ln -s "/usr/include/postgresql/$major" "$work/include/postgresql/"
	for tree in lib share; do
		as_server mkdir -p "$work/$tree/postgresql"
		as_server cp -a "/usr/$tree/postgresql/$major" "$work/$tree/postgresql/"
	done

	# Of some versions pg_config alone does not look where it stands.
	if [ "$(as_server pg_config --bindir)" != "$bin" ]; then
		as_server mv "$bin/pg_config" "$bin/pg_config.system"
		as_server tee "$bin/pg_config" >/dev/null <<-SH
			#!/bin/sh
			"$bin/pg_config.system" "\$@" | sed 's,/usr/\(lib\|share\|include\)/postgresql/$major,$work/\1/postgresql/$major,g'
		SH
		as_server chmod +x "$bin/pg_config"
	fi
}

build_extension()
{
	local -a make=(make -s -j "$(nproc)" PG_CONFIG="$work/lib/postgresql/$major/bin/pg_config")

	as_server "${make[@]}" all && as_server "${make[@]}" install
}

start_server()
{
	as_server initdb -D "$work/data" -A trust -U postgres --locale=C --encoding=UTF8 --no-sync >"$work/initdb.log" 2>&1 || {
		cat "$work/initdb.log" >&2
		die "initdb failed"
	}
	as_server sh -c 'cat >>"$0"' "$work/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$work/socket'
		unix_socket_permissions = 0700
		timezone = 'UTC'
		log_timezone = 'UTC'
		datestyle = 'ISO, YMD'
		fsync = off
		synchronous_commit = off
	CONF
	as_server pg_ctl -D "$work/data" -l "$work/server.log" -w -t 120 start >/dev/null || {
		cat "$work/server.log" >&2
		die "the server did not start"
	}
}
