// SPDX-License-Identifier: GPL-2.0
/*
 * Devices with memory of their own, to test who a heap's consumers are
 *
 * On a board these are video codecs and display engines.  Here they have no
 * hardware: a device tree describes them, with all that matters to heaps.
 *
 *	dma-heap-test-bus	has a device for each node below it that has a
 *				compatible, while a driver is bound to it
 *	dma-heap-test-consumer	is given its first memory-region; for each of the
 *				others it has a child device, without a bus, that
 *				is given that one, as drivers of hardware with
 *				several ports do.  With the property
 *				"forgets-to-release" nothing is given back.
 *
 * A consumer has the attributes "given", 0 or the error with which the first
 * region was refused, and "area", the CMA area that the DMA API takes memory for
 * the device from; and device nodes that can say what they are, no more: one in
 * /dev/dri where there is DRM, and a /dev/videoN where there is V4L2.
 *
 * Locking: none, the driver core does not bind and unbind a device at a time.
 */

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <linux/cma.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/module.h>
#include <linux/of_platform.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-ioctl.h>

#define HEAP_TEST_MAX_PORTS	4

/**
 * struct heap_test_consumer - a consumer
 * @given: 0 or the error of its first region
 * @forgets: gives nothing back
 * @ports: devices for the other regions
 * @drm: its device node, or NULL
 * @video: another one, or NULL
 */
struct heap_test_consumer {
	int given;
	bool forgets;
	struct device *ports[HEAP_TEST_MAX_PORTS];
	struct drm_device *drm;
	struct heap_test_video *video;
};

static ssize_t given_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct heap_test_consumer *consumer = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", consumer->given);
}
static DEVICE_ATTR_RO(given);

static ssize_t area_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct cma *area = dev_get_cma_area(dev);

	return sysfs_emit(buf, "%s\n", area ? cma_get_name(area) : "");
}
static DEVICE_ATTR_RO(area);

static struct attribute *heap_test_attrs[] = {
	&dev_attr_given.attr,
	&dev_attr_area.attr,
	NULL
};
ATTRIBUTE_GROUPS(heap_test);

/* -- ports ----------------------------------------------------------------- */

static void heap_test_port_release(struct device *dev)
{
	kfree(dev);
}

static struct device *heap_test_add_port(struct device *parent, int idx)
{
	struct device *port = kzalloc_obj(*port);
	int err;

	if (!port)
		return ERR_PTR(-ENOMEM);
	device_initialize(port);
	port->parent = parent;
	port->release = heap_test_port_release;
	err = dev_set_name(port, "port%d", idx);
	if (!err)
		err = device_add(port);
	if (err) {
		put_device(port);
		return ERR_PTR(err);
	}

	err = of_reserved_mem_device_init_by_idx(port, parent->of_node, idx);
	if (err) {
		device_unregister(port);
		return ERR_PTR(err);
	}
	return port;
}

static void heap_test_remove_ports(struct heap_test_consumer *consumer)
{
	int i;

	for (i = 0; i < HEAP_TEST_MAX_PORTS; i++) {
		if (!consumer->ports[i])
			continue;
		if (!consumer->forgets)
			of_reserved_mem_device_release(consumer->ports[i]);
		device_unregister(consumer->ports[i]);
	}
}

static int heap_test_add_ports(struct heap_test_consumer *consumer,
			       struct device *dev)
{
	int i, count = of_reserved_mem_region_count(dev->of_node);

	for (i = 1; i < count && i <= HEAP_TEST_MAX_PORTS; i++) {
		struct device *port = heap_test_add_port(dev, i);

		if (IS_ERR(port)) {
			heap_test_remove_ports(consumer);
			return PTR_ERR(port);
		}
		consumer->ports[i - 1] = port;
	}
	return 0;
}

/* -- a device node of DRM --------------------------------------------------- */

#if IS_REACHABLE(CONFIG_DRM)
static const struct file_operations heap_test_drm_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

static const struct drm_driver heap_test_drm_driver = {
	.fops = &heap_test_drm_fops,
	.name = "dma-heap-test",
	.desc = "a device with memory of its own",
};

static struct drm_device *heap_test_add_drm(struct device *dev)
{
	struct drm_device *drm = drm_dev_alloc(&heap_test_drm_driver, dev);
	int err;

	if (IS_ERR(drm))
		return drm;
	err = drm_dev_register(drm, 0);
	if (err) {
		drm_dev_put(drm);
		return ERR_PTR(err);
	}
	return drm;
}

static void heap_test_remove_drm(struct drm_device *drm)
{
	drm_dev_unplug(drm);
	drm_dev_put(drm);
}
#else
static struct drm_device *heap_test_add_drm(struct device *dev)
{
	return NULL;
}

static void heap_test_remove_drm(struct drm_device *drm) { }
#endif

/* -- a device node of V4L2 -------------------------------------------------- */

#if IS_REACHABLE(CONFIG_VIDEO_DEV)
/**
 * struct heap_test_video - a device node; freed when it is not open any more
 * @v4l2: what V4L2 knows the device as
 * @node: /dev/videoN
 */
struct heap_test_video {
	struct v4l2_device v4l2;
	struct video_device node;
};

static int heap_test_querycap(struct file *file, void *priv,
			      struct v4l2_capability *cap)
{
	strscpy(cap->driver, "dma-heap-test");
	strscpy(cap->card, "a device with memory of its own");
	return 0;
}

static const struct v4l2_ioctl_ops heap_test_video_ioctls = {
	.vidioc_querycap = heap_test_querycap,
};

static const struct v4l2_file_operations heap_test_video_fops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = v4l2_fh_release,
	.unlocked_ioctl = video_ioctl2,
};

/* The driver has let go, and so has everybody who had the node open. */
static void heap_test_release_video(struct v4l2_device *v4l2)
{
	struct heap_test_video *video;

	video = container_of(v4l2, struct heap_test_video, v4l2);
	v4l2_device_unregister(v4l2);
	kfree(video);
}

static struct heap_test_video *heap_test_add_video(struct device *dev)
{
	struct heap_test_video *video = kzalloc_obj(*video);
	int err;

	if (!video)
		return ERR_PTR(-ENOMEM);
	err = v4l2_device_register(dev, &video->v4l2);
	if (err) {
		kfree(video);
		return ERR_PTR(err);
	}
	video->v4l2.release = heap_test_release_video;

	strscpy(video->node.name, "dma-heap-test");
	video->node.v4l2_dev = &video->v4l2;
	video->node.fops = &heap_test_video_fops;
	video->node.ioctl_ops = &heap_test_video_ioctls;
	video->node.release = video_device_release_empty;
	video->node.vfl_dir = VFL_DIR_M2M;
	video->node.device_caps = V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING;
	err = video_register_device(&video->node, VFL_TYPE_VIDEO, -1);
	if (err) {
		v4l2_device_put(&video->v4l2);
		return ERR_PTR(err);
	}
	return video;
}

static void heap_test_remove_video(struct heap_test_video *video)
{
	video_unregister_device(&video->node);
	v4l2_device_put(&video->v4l2);
}
#else
static struct heap_test_video *heap_test_add_video(struct device *dev)
{
	return NULL;
}

static void heap_test_remove_video(struct heap_test_video *video) { }
#endif

/* -- drivers --------------------------------------------------------------- */

static int heap_test_consumer_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct heap_test_consumer *consumer;
	int err;

	consumer = devm_kzalloc(dev, sizeof(*consumer), GFP_KERNEL);
	if (!consumer)
		return -ENOMEM;
	platform_set_drvdata(pdev, consumer);
	consumer->forgets = device_property_read_bool(dev, "forgets-to-release");

	/* like a driver that makes do with the default area */
	consumer->given = of_reserved_mem_device_init(dev);
	err = heap_test_add_ports(consumer, dev);
	if (err)
		goto err_release;

	consumer->drm = heap_test_add_drm(dev);
	if (IS_ERR(consumer->drm)) {
		err = PTR_ERR(consumer->drm);
		goto err_ports;
	}
	consumer->video = heap_test_add_video(dev);
	if (IS_ERR(consumer->video)) {
		err = PTR_ERR(consumer->video);
		goto err_drm;
	}
	return 0;

err_drm:
	heap_test_remove_drm(consumer->drm);
err_ports:
	heap_test_remove_ports(consumer);
err_release:
	of_reserved_mem_device_release(dev);
	return err;
}

static void heap_test_consumer_remove(struct platform_device *pdev)
{
	struct heap_test_consumer *consumer = platform_get_drvdata(pdev);

	heap_test_remove_video(consumer->video);
	heap_test_remove_drm(consumer->drm);
	heap_test_remove_ports(consumer);
	if (!consumer->forgets)
		of_reserved_mem_device_release(&pdev->dev);
}

static const struct of_device_id heap_test_consumer_match[] = {
	{ .compatible = "dma-heap-test-consumer" },
	{ }
};
MODULE_DEVICE_TABLE(of, heap_test_consumer_match);

static struct platform_driver heap_test_consumer_driver = {
	.probe = heap_test_consumer_probe,
	.remove = heap_test_consumer_remove,
	.driver = {
		.name = "dma-heap-test-consumer",
		.of_match_table = heap_test_consumer_match,
		.dev_groups = heap_test_groups,
	},
};

static int heap_test_bus_probe(struct platform_device *pdev)
{
	return of_platform_populate(pdev->dev.of_node, NULL, NULL, &pdev->dev);
}

static void heap_test_bus_remove(struct platform_device *pdev)
{
	of_platform_depopulate(&pdev->dev);
}

static const struct of_device_id heap_test_bus_match[] = {
	{ .compatible = "dma-heap-test-bus" },
	{ }
};
MODULE_DEVICE_TABLE(of, heap_test_bus_match);

static struct platform_driver heap_test_bus_driver = {
	.probe = heap_test_bus_probe,
	.remove = heap_test_bus_remove,
	.driver = {
		.name = "dma-heap-test-bus",
		.of_match_table = heap_test_bus_match,
	},
};

static struct platform_driver * const heap_test_drivers[] = {
	&heap_test_consumer_driver,
	&heap_test_bus_driver,
};

static int __init heap_test_init(void)
{
	return platform_register_drivers(heap_test_drivers,
					 ARRAY_SIZE(heap_test_drivers));
}
module_init(heap_test_init);

static void __exit heap_test_exit(void)
{
	platform_unregister_drivers(heap_test_drivers,
				    ARRAY_SIZE(heap_test_drivers));
}
module_exit(heap_test_exit);

MODULE_DESCRIPTION("Devices with reserved memory, to test dma-buf heaps");
MODULE_LICENSE("GPL");
