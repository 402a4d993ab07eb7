#!/bin/busybox sh
# First program of the virtual machine: loads what the kernel lacks, then hands over to the disk. A container cannot
# pivot_root(2) out of an initramfs, so that a disk is needed.
PATH=/bin
busybox mount -t devtmpfs dev /dev
while read -r name; do
  busybox insmod "/modules/$name" || echo "Cannot load $name"
done </modules/order
busybox mount -t ext4 /dev/vda /root || busybox poweroff -f
busybox mount --move /dev /root/dev
exec busybox switch_root /root /bin/init
