"""The members of AWS's answers that may hold anything without a word of drift, and why nobody has to look at each.

All others are told when they are not as recorded: a member that a new version of the SDK knows has to find its "
"field, or
its reason here.
"""

from __future__ import annotations

from collections.abc import Mapping

_CLUSTER = "rds:DescribeDBClusters DBClusters[]"
_MEMBER = "rds:DescribeDBInstances DBInstances[]"
_FUNCTION = "lambda:GetFunction Configuration"
_KEY = "kms:DescribeKey KeyMetadata"
_PEER = "UserId GroupName VpcId VpcPeeringConnectionId PeeringStatus"
_PARAMETER = (
    "Description Source ApplyType DataType AllowedValues IsModifiable MinimumEngineVersion ApplyMethod "
    "SupportedEngineModes"
)

_REASONS: Mapping[str, Mapping[str, str]] = {
    "what AWS calls it, when it was made, and what became of it; its state is told by status": {
        "cloudwatch:DescribeAlarms MetricAlarms[]": "AlarmArn AlarmConfigurationUpdatedTimestamp StateValue "
        "StateReason "
        "StateReasonData StateUpdatedTimestamp EvaluationState StateTransitionedTimestamp",
        "ec2:DescribeSecurityGroups SecurityGroups[]": "SecurityGroupArn OwnerId",
        "iam:GetRole Role": "RoleName Arn CreateDate RoleLastUsed SourceRoleTemplate",
        "iam:GetRolePolicy": "RoleName PolicyName",
        _KEY: "AWSAccountId CreationDate DeletionDate PendingDeletionWindowInDays CurrentKeyMaterialId",
        "kms:GetKeyPolicy": "PolicyName",
        "kms:GetKeyRotationStatus": "KeyId NextRotationDate OnDemandRotationStartDate",
        "kms:ListAliases Aliases[]": "AliasArn CreationDate LastUpdatedDate",
        _FUNCTION: "FunctionName CodeSize LastModified Version RevisionId State StateReason StateReasonCode "
        "LastUpdateStatus LastUpdateStatusReason LastUpdateStatusReasonCode ConfigSha256",
        f"{_FUNCTION}.SnapStart": "OptimizationStatus",
        "lambda:GetFunction Code": "RepositoryType Location ImageUri ResolvedS3Object Error",
        "logs:DescribeLogGroups logGroups[]": "metricFilterCount arn storedBytes logGroupArn",
        _CLUSTER: "PercentProgress EarliestRestorableTime LatestRestorableTime UpgradeRolloutOrder StatusInfos "
        "HostedZoneId CloneGroupId ClusterCreateTime IOOptimizedNextAllowedModificationTime CrossAccountClone "
        "AutomaticRestartTime DBSystemId AwsBackupRecoveryPointArn",
        f"{_CLUSTER}.VpcSecurityGroups[]": "Status",
        f"{_CLUSTER}.MasterUserSecret": "SecretStatus",
        _MEMBER: "DBInstanceStatus InstanceCreateTime LatestRestorableTime UpgradeRolloutOrder StatusInfos "
        "EnhancedMonitoringResourceArn AwsBackupRecoveryPointArn AutomaticRestartTime DBSystemId PercentProgress "
        "IsStorageConfigUpgradeAvailable StorageVolumeStatus StorageOperationStatus StorageOperationPercentProgress",
        "rds:DescribeDBSubnetGroups DBSubnetGroups[]": "SubnetGroupStatus",
        "rds:DescribeDBSubnetGroups DBSubnetGroups[].Subnets[]": "SubnetStatus",
        "rds:DescribeEventSubscriptions EventSubscriptionsList[]": "CustomerAwsId Status SubscriptionCreationTime",
        "secretsmanager:DescribeSecret": "ARN Name LastRotatedDate LastChangedDate LastAccessedDate NextRotationDate "
        "VersionIdsToStages CreatedDate",
        "secretsmanager:GetResourcePolicy": "ARN Name PolicyName",
    },
    "another member says the same": {
        "ec2:DescribeSecurityGroups SecurityGroups[].IpPermissionsEgress[].UserIdGroupPairs[]": _PEER,
        "ec2:DescribeSecurityGroups SecurityGroups[].IpPermissions[].UserIdGroupPairs[]": _PEER,
        _KEY: "Enabled CustomerMasterKeySpec MultiRegionConfiguration",
        "kms:ListAliases Aliases[]": "TargetKeyId",
        f"{_FUNCTION}.VpcConfig": "VpcId",
        _CLUSTER: "AvailabilityZones DBClusterMembers",
        "rds:DescribeDBSubnetGroups DBSubnetGroups[]": "VpcId SupportedNetworkTypes",
        "rds:DescribeDBSubnetGroups DBSubnetGroups[].Subnets[]": "SubnetAvailabilityZone SubnetOutpost",
        "secretsmanager:DescribeSecret": "KmsKeyId OwningService",
    },
    "fixed when it was made, and another one would be another resource": {
        _KEY: "Origin CustomKeyStoreId CloudHsmClusterId KeyManager EncryptionAlgorithms SigningAlgorithms "
        "KeyAgreementAlgorithms EncapsulationAlgorithms MacAlgorithms XksKeyConfiguration",
        _CLUSTER: "CharacterSetName EngineMode StorageEncryptionType ClusterScalabilityType VPCNetworkingEnabled",
        "secretsmanager:DescribeSecret": "Type PrimaryRegion CrossAccountPrimary ExternalSecretRotationMetadata",
    },
    "listed as not compared": {
        _KEY: "ValidTo ExpirationModel",
        _FUNCTION: "SigningProfileVersionArn SigningJobArn RuntimeVersionConfig",
        f"{_FUNCTION}.LoggingConfig": "ApplicationLogLevel SystemLogLevel",
        "logs:DescribeLogGroups logGroups[]": "inheritedProperties",
        _CLUSTER: "Capacity ScalingConfigurationInfo NetworkType ServerlessV2ScalingConfiguration "
        "ServerlessV2PlatformVersion LimitlessDatabase MonitoringInterval MonitoringRoleArn CertificateDetails",
        _MEMBER: "CACertificateIdentifier CertificateDetails MonitoringInterval MonitoringRoleArn DatabaseInsightsMode "
        "PerformanceInsightsEnabled PerformanceInsightsKMSKeyId PerformanceInsightsRetentionPeriod NetworkType",
        "secretsmanager:DescribeSecret RotationRules": "Duration",
    },
    "not of an Aurora PostgreSQL cluster": {
        _CLUSTER: "AllocatedStorage MultiAZ DBClusterOptionGroupMemberships EarliestBacktrackTime BacktrackWindow "
        "BacktrackConsumedChangeRecords RdsCustomClusterConfiguration DBClusterInstanceClass Iops StorageThroughput "
        "PubliclyAccessible",
        _MEMBER: "AllocatedStorage DBSecurityGroups MultiAZ ReplicaMode LicenseModel Iops StorageThroughput "
        "OptionGroupMemberships CharacterSetName NcharCharacterSetName SecondaryAvailabilityZone TdeCredentialArn "
        "Timezone ProcessorFeatures ListenerEndpoint MaxAllocatedStorage AutomationMode ResumeFullAutomationModeTime "
        "CustomerOwnedIpEnabled ActivityStreamEngineNativeAuditFieldsIncluded ActivityStreamPolicyStatus BackupTarget "
        "CustomIamInstanceProfile MultiTenant DedicatedLogVolume AdditionalStorageVolumes "
        "ReadReplicaSourceDBInstanceIdentifier ReadReplicaDBInstanceIdentifiers ReadReplicaDBClusterIdentifiers "
        "ReadReplicaSourceDBClusterIdentifier DBInstanceAutomatedBackupsReplications DBCapacityReservationIdentifier",
    },
    "a member has it from its cluster, of which it is told": {
        _MEMBER: "MasterUsername DBName Endpoint PreferredBackupWindow BackupRetentionPeriod VpcSecurityGroups "
        "AvailabilityZone DBSubnetGroup EngineVersion StorageType StorageEncryptionType DbInstancePort "
        "StorageEncrypted "
        "KmsKeyId DomainMemberships CopyTagsToSnapshot IAMDatabaseAuthenticationEnabled EnabledCloudwatchLogsExports "
        "DeletionProtection AssociatedRoles ActivityStreamStatus ActivityStreamKmsKeyId "
        "ActivityStreamKinesisStreamName "
        "ActivityStreamMode MasterUserSecret EngineLifecycleSupport",
    },
    "means something with another member alone, which is told: what such a one is, in which state it is": {
        "cloudwatch:DescribeAlarms": "CompositeAlarms LogAlarms",
        "ec2:DescribeSecurityGroupVpcAssociations": "SecurityGroupVpcAssociations",
        _FUNCTION: "CodeSha256",
        "logs:DescribeLogGroups logGroups[]": "retentionPolicyName",
        "secretsmanager:DescribeSecret": "Description",
        "resourcegroupstaggingapi:GetResources ResourceTagMappingList[]": "Tags ComplianceDetails",
    },
    "of an interface only its owner and its groups count": {
        "ec2:DescribeNetworkInterfaces NetworkInterfaces[]": "Association Attachment AvailabilityZone "
        "ConnectionTrackingConfiguration Groups Ipv6Addresses MacAddress NetworkInterfaceId OutpostArn OwnerId "
        "PrivateDnsName PublicDnsName PublicIpDnsNameOptions PrivateIpAddress PrivateIpAddresses Ipv4Prefixes "
        "Ipv6Prefixes RequesterId RequesterManaged SourceDestCheck Status SubnetId TagSet VpcId DenyAllIgwTraffic "
        "Ipv6Native Ipv6Address Operator AssociatedSubnets AvailabilityZoneId",
    },
    "of a parameter only its name and value count": {
        "rds:DescribeDBClusterParameters Parameters[]": _PARAMETER,
        "rds:DescribeDBParameters Parameters[]": _PARAMETER,
    },
    "the grant here is a service's own": {
        "kms:ListGrants Grants[]": "KeyId GrantId Name CreationDate RetiringPrincipal IssuingAccount Operations "
        "Constraints GranteeServicePrincipal RetiringServicePrincipal",
    },
}

NO_SETTING = frozenset(
    f"{place}.{name}" if " " in place else f"{place} {name}"
    for places in _REASONS.values()
    for place, names in places.items()
    for name in names.split()
)
"""Each as ``str`` of a `tests.support.answered.Member` writes it; with what is in it."""
PAGES = frozenset({"NextToken", "Marker", "nextToken", "NextMarker", "IsTruncated", "Truncated", "PaginationToken"})
"""The members that say where an answer goes on."""
