# rig: mem=2G devices=nvme intremap=off iommufd=too limit=60
# A host without interrupt remapping: refused, with the reason.
. /rig/lib.sh
. /rig/refuse.sh
bind_vfio "$NVME0"
refuse "no interrupt remapping" "$NVME0.*interrupt remapping|interrupt remapping.*$NVME0" with_device "$NVME0"
pass
