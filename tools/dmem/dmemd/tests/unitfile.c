// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which files belong to a unit, what they say, and what is said of lines that make
 * no sense.  Each case writes files below a folder of its own and looks at what one
 * unit gets; that the order is systemd's is tried against systemd in the guest.
 */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "unitfile.h"
#include "value.h"

#define MIB	(1024 * 1024ULL)

static struct dmem_region some_regions[] = {
	{ .name = (char *)"cma/display", .size = 40 * MIB },
	{ .name = (char *)"cma/video", .size = 64 * MIB },
};
static struct dmem_regions regions = { .region = some_regions, .count = 2 };
static struct unit_files files;
static struct unit_wishes wishes;
static char root[32];
static char said[8192];
static size_t bad;

static void take(void *userdata, const char *unit, const char *message)
{
	size_t len = strlen(said);

	(void)userdata;
	snprintf(said + len, sizeof(said) - len, "%s: %s\n", unit, message);
}

static void begin(void)
{
	strcpy(root, "/tmp/dmem-unitfile-XXXXXX");
	check(mkdtemp(root), "%m");
	*said = '\0';
}

static int unlink_it(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void end(void)
{
	unit_wishes_free(&wishes);
	unit_files_free(&files);
	check(!nftw(root, unlink_it, 8, FTW_DEPTH | FTW_PHYS), "%m");
}

static void file(const char *path, const char *text)
{
	char *full __free_string = dmem_printf("%s/%s", root, path);
	char *slash = full + strlen(root);
	FILE *stream;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	stream = fopen(full, "w");
	check(stream, "%s: %m", full);
	fputs(text, stream);
	fclose(stream);
}

static void link_to(const char *path, const char *target)
{
	char *full __free_string = dmem_printf("%s/%s", root, path);

	file(path, "");
	unlink(full);
	check(!symlink(target, full), "%m");
}

#define ETC	"etc/systemd/system/"
#define RUN	"run/systemd/system/"
#define LIB	"usr/lib/systemd/system/"
/* a drop-in that sets the video region's maximum */
#define MAX(n)	"[X-DMem]\nDeviceMemoryMax=cma/video " #n "\n"

static void resolve(const char *unit)
{
	*said = '\0';
	unit_wishes_free(&wishes);
	unit_files_load(root, &files, NULL, take, NULL);
	bad = unit_files_resolve(&files, unit, &regions, &wishes, take, NULL);
}

static uint64_t wished(enum dmem_limit limit, int region)
{
	size_t i;

	for (i = 0; i < wishes.count; i++)
		if (wishes.wish[i].setting.limit == limit &&
		    wishes.wish[i].setting.region == region)
			return wishes.wish[i].setting.value;
	return DMEM_UNKNOWN;
}

#define max_of_video(unit) (resolve(unit), wished(DMEM_LIMIT_MAX, 1))

static void all_keys(void)
{
	begin();
	file(ETC "v.slice.d/50.conf",
	     "[Slice]\nDeviceMemoryMax=cma/video 1\n[X-DMem]\n"
	     "# a comment\n; another\n\n"
	     "DeviceMemoryMax=cma/video 48M\n"
	     " DeviceMemoryLow = cma/display\t25% \n"
	     "DeviceMemoryMin=cma/video 1.5M\n"
	     "DeviceMemoryMax=cma/display infinity\n"
	     "[X-Other]\nDeviceMemoryMax=cma/video 2\n");
	resolve("v.slice");
	check_number(wishes.count, 4);
	check_number(wished(DMEM_LIMIT_MAX, 1), 48 * MIB);
	check_number(wished(DMEM_LIMIT_LOW, 0), 10 * MIB);
	check_number(wished(DMEM_LIMIT_MIN, 1), 3 * MIB / 2);
	check_number(wished(DMEM_LIMIT_MAX, 0), DMEM_MAX);
	check(!wishes.accounting, "nobody asked for it");
	check_text(said, "");
	check_number(bad, 0);
	end();
}

static void continuation(void)
{
	begin();
	file(ETC "v.slice.d/50.conf",
	     "[X-DMem]\nDeviceMemoryMax=cma/video \\\n# between\n  7M\nDeviceMemoryLow=1\\\n\nX=\n");
	resolve("v.slice");
	check_number(wished(DMEM_LIMIT_MAX, 1), 7 * MIB);
	/* lines are counted as an editor does */
	check(strstr(said, "50.conf:5: DeviceMemoryLow=1 names no region"), "%s", said);
	check(strstr(said, "50.conf:7: unknown key 'X'"), "%s", said);
	end();
}

/* What the fuzzer found: lines that are continued by nothing, or continue nothing. */
static void continuation_of_nothing(void)
{
	begin();
	file(ETC "v.slice.d/50.conf", "[X-DMem]\nDeviceMemoryMax=cma/video 7M\\");
	check_number(max_of_video("v.slice"), 7 * MIB);
	check_text(said, "");
	file(ETC "v.slice.d/50.conf", "[X-DMem]\nDeviceMemoryMax=cma/video 8M \\\n# the end");
	check_number(max_of_video("v.slice"), 8 * MIB);
	check_text(said, "");
	file(ETC "v.slice.d/50.conf", "\\\n[X-DMem]\n\\\n\nDeviceMemoryMax=cma/video 9M\n");
	check_number(max_of_video("v.slice"), 9 * MIB);
	check_text(said, "");
	end();
}

static void all_regions(void)
{
	begin();
	file(ETC "v.slice.d/50.conf",
	     "[X-DMem]\nDeviceMemoryMax=50%\nDeviceMemoryMax=cma/video 1M\nDeviceMemoryLow=0\n");
	resolve("v.slice");
	check_number(wished(DMEM_LIMIT_MAX, 0), 20 * MIB);
	check_number(wished(DMEM_LIMIT_MAX, 1), 1 * MIB);
	check_number(wished(DMEM_LIMIT_LOW, 0), 0);
	end();
}

static void empty_forgets(void)
{
	begin();
	file(ETC "v.slice.d/10.conf", "[X-DMem]\nDeviceMemoryMax=cma/video 1M\nDeviceMemoryLow=cma/video 1M\n");
	file(ETC "v.slice.d/20.conf", "[X-DMem]\nDeviceMemoryMax=\n");
	check_number(max_of_video("v.slice"), DMEM_UNKNOWN);
	check_number(wished(DMEM_LIMIT_LOW, 1), 1 * MIB);
	end();
}

static void order_and_hiding(void)
{
	begin();
	file(LIB "v.slice", MAX(1M));
	check_number(max_of_video("v.slice"), 1 * MIB);
	file(ETC "v.slice", MAX(2M));
	check_number(max_of_video("v.slice"), 2 * MIB);
	file(LIB "v.slice.d/20.conf", MAX(3M));
	check_number(max_of_video("v.slice"), 3 * MIB);
	/* a later name wins, wherever it is */
	file(ETC "v.slice.d/10.conf", MAX(4M));
	check_number(max_of_video("v.slice"), 3 * MIB);
	/* of one name the first folder's */
	file(RUN "v.slice.d/20.conf", MAX(5M));
	check_number(max_of_video("v.slice"), 5 * MIB);
	link_to(ETC "v.slice.d/20.conf", "/dev/null");
	check_number(max_of_video("v.slice"), 4 * MIB);
	/* other suffixes and hidden files are editors' */
	file(ETC "v.slice.d/30.conf~", MAX(6M));
	file(ETC "v.slice.d/.40.conf", MAX(6M));
	check_number(max_of_video("v.slice"), 4 * MIB);
	end();
}

static void templates_and_prefixes(void)
{
	begin();
	file(ETC "service.d/10.conf", MAX(1M));
	check_number(max_of_video("a-b@c.service"), 1 * MIB);
	file(ETC "a-.service.d/20.conf", MAX(2M));
	/* the prefix of an instance has an instance or is a template */
	check_number(max_of_video("a-b@c.service"), 1 * MIB);
	check_number(max_of_video("a-x.service"), 2 * MIB);
	file(ETC "a-@.service.d/30.conf", MAX(3M));
	check_number(max_of_video("a-b@c.service"), 3 * MIB);
	file(ETC "a-b@.service.d/30.conf", MAX(4M));
	check_number(max_of_video("a-b@c.service"), 4 * MIB);
	file(LIB "a-b@c.service.d/30.conf", MAX(5M));
	/* the folder in /etc is before that in /usr/lib, whatever its name */
	check_number(max_of_video("a-b@c.service"), 4 * MIB);
	file(ETC "a-b@c.service.d/30.conf", MAX(6M));
	check_number(max_of_video("a-b@c.service"), 6 * MIB);
	check_number(max_of_video("a-b@d.service"), 4 * MIB);
	file(ETC "user-.slice.d/50.conf", MAX(7M));
	check_number(max_of_video("user-1000.slice"), 7 * MIB);
	check_number(max_of_video("user.slice"), DMEM_UNKNOWN);
	file(LIB "t@.service", MAX(8M));
	file(ETC "service.d/10.conf", "");
	check_number(max_of_video("t@x.service"), 8 * MIB);
	end();
}

static void aliases(void)
{
	begin();
	file(LIB "gdm.service", "[Service]\n");
	link_to(ETC "display-manager.service", "/usr/lib/systemd/system/gdm.service");
	file(ETC "display-manager.service.d/50.conf", MAX(3M));
	check_number(max_of_video("gdm.service"), 3 * MIB);
	end();
}

static void wrong_lines(void)
{
	static const char * const wrong[][2] = {
		{ "DeviceMemoryMax=cma/video 1X",	"'1X' is no amount" },
		{ "DeviceMemoryMax=cma/video -1",	"'-1' is no amount" },
		{ "DeviceMemoryMax=cma/video 101%",	"more than the whole region" },
		{ "DeviceMemoryMax=cma/video 99999999999999999999", "more than can be counted" },
		{ "DeviceMemoryMax=64M",		"names no region" },
		{ "DeviceMemoryMax=cma/video 1M 2M",	"takes a region and a value" },
		{ "DeviceMemoryMax cma/video 1M",	"is not KEY=VALUE" },
		{ "DeviceMemoryHigh=cma/video 1M",	"unknown key 'DeviceMemoryHigh'" },
		{ "DeviceMemoryAccounting=maybe",	"is yes or no" },
		{ "DeviceMemoryAccounting=",		"is yes or no" },
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *text __free_string = dmem_printf("[X-DMem]\n%s\nDeviceMemoryLow=cma/video 1M\n",
						       wrong[i][0]);

		begin();
		file(ETC "v.slice.d/50.conf", text);
		resolve("v.slice");
		check(strstr(said, "v.slice: /etc/systemd/system/v.slice.d/50.conf:2: "), "%s", said);
		check(strstr(said, wrong[i][1]), "%s: %s", wrong[i][0], said);
		/* the rest of the file counts */
		check_number(wishes.count, 1);
		end();
	}
}

static void unknown_region(void)
{
	begin();
	file(ETC "v.slice.d/50.conf", "[X-DMem]\nDeviceMemoryMax=cma/vidoe 1M\nDeviceMemoryMax=cma/video 2M\n");
	resolve("v.slice");
	check_number(bad, 1);
	check(strstr(said, "50.conf:2: DeviceMemoryMax=cma/vidoe 1M: no region 'cma/vidoe'; there are: cma/display, cma/video"),
	      "%s", said);
	check_number(wished(DMEM_LIMIT_MAX, 1), 2 * MIB);
	end();
}

static void files_that_are_none(void)
{
	char *large = malloc((1 << 20) + 2);

	begin();
	file(ETC "v.slice.d/10.conf", "");
	file(ETC "v.slice.d/20.conf/x", "");
	memset(large, 'x', (1 << 20) + 1);
	large[(1 << 20) + 1] = '\0';
	file(ETC "v.slice.d/30.conf", large);
	link_to(ETC "v.slice.d/40.conf", "nowhere");
	check_number(max_of_video("v.slice"), DMEM_UNKNOWN);
	check(strstr(said, "30.conf:1: larger than"), "%s", said);
	free(large);
	end();
}

static void loaded_again(void)
{
	char *gone __free_string = NULL;

	begin();
	file(ETC "v.slice.d/50.conf", "[X-DMem]\nnonsense\nDeviceMemoryMax=cma/video 1M\n");
	check_number(max_of_video("v.slice"), 1 * MIB);
	check(*said, "the line makes no sense");
	/* the same file is not read again, and still says what it said */
	check_number(max_of_video("v.slice"), 1 * MIB);
	check_text(said, "");
	file(ETC "v.slice.d/50.conf", MAX(33M));
	check_number(max_of_video("v.slice"), 33 * MIB);
	gone = dmem_printf("%s/" ETC "v.slice.d/50.conf", root);
	unlink(gone);
	check_number(max_of_video("v.slice"), DMEM_UNKNOWN);
	end();
}

static void types(void)
{
	check_text(unit_type("a.service"), "service");
	check_text(unit_type("a.b.slice"), "slice");
	check(!unit_type("a.target"), "has no cgroup");
	check(!unit_type(".service"), "has no name");
	check(!unit_type("a/b.service"), "is a path");
	check(!unit_type("service"), "has no suffix");
	check(!unit_type("dmem.max"), "is a file of the kernel's");
}

CHECK_MAIN(CASE(all_keys), CASE(continuation), CASE(continuation_of_nothing),
	   CASE(all_regions), CASE(empty_forgets),
	   CASE(order_and_hiding), CASE(templates_and_prefixes), CASE(aliases),
	   CASE(wrong_lines), CASE(unknown_region), CASE(files_that_are_none),
	   CASE(loaded_again), CASE(types))
