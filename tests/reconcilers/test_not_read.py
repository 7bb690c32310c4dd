"""Every reading operation of the services is called by a drift, or stands in its list of what it does not compare.

Or it has a reason.

An operation that a new version of the SDK knows may tell of a reader, a copy, a door or a credential of something ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.rights import Need
from tapctl.reconcilers import never_compared, registry

_LISTED: Mapping[str, Mapping[str, str]] = {
    "kms": {"imported material": "GetParametersForImport", "policies beside the default one": "ListKeyPolicies"},
    "lambda": {
        "versions and their policies": "ListVersionsByFunction GetResourcePolicy GetFunctionScalingConfig "
        "GetProvisionedConcurrencyConfig ListProvisionedConcurrencyConfigs",
        "runtime pins, recursion, code signing": "GetRuntimeManagementConfig GetFunctionRecursionConfig "
        "GetFunctionCodeSigningConfig GetCodeSigningConfig ListCodeSigningConfigs ListFunctionsByCodeSigningConfig",
    },
    "logs": {
        "metric filters, transformers, indexes": "DescribeMetricFilters GetTransformer DescribeIndexPolicies "
        "DescribeFieldIndexes",
        "policies of the account, its resource policy": "DescribeAccountPolicies DescribeResourcePolicies "
        "GetStorageTierPolicy",
        "S3 exports, S3 tables, OpenSearch": "DescribeExportTasks ListSourcesForS3TableIntegration ListIntegrations "
        "GetIntegration",
        "syslog, scheduled queries, anomaly detectors": "ListSyslogConfigurations ListScheduledQueries "
        "GetScheduledQuery GetScheduledQueryHistory ListLogAnomalyDetectors GetLogAnomalyDetector ListAnomalies",
    },
    "rds": {
        "proxies, integrations, blue/green, exports": "DescribeDBProxies DescribeDBProxyEndpoints "
        "DescribeDBProxyTargetGroups DescribeDBProxyTargets DescribeIntegrations DescribeBlueGreenDeployments "
        "DescribeExportTasks",
        "maintenance that AWS has planned": "DescribePendingMaintenanceActions",
        "Serverless": "DescribeServerlessV2PlatformVersions",
        "certificate authority": "DescribeCertificates",
    },
    "secretsmanager": {
        "policies beside the default one": "ListResourcePolicies",
        "earlier versions and their labels": "ListSecretVersionIds",
    },
    "sns": {"data protection policy": "GetDataProtectionPolicy"},
}
"""Service to the words of drift's list, and the operations that they stand for."""
_REASONS: Mapping[str, Mapping[str, str]] = {
    "one of several that a listing tells": {
        "lambda": "GetAlias GetEventSourceMapping GetFunctionConcurrency GetFunctionConfiguration "
        "GetFunctionEventInvokeConfig GetFunctionUrlConfig GetCapacityProvider",
        "logs": "GetDataProtectionPolicy ListLogGroups ListAggregateLogGroupSummaries ListTagsLogGroup",
        "rds": "DescribeDBClusterEndpoints DescribeGlobalClusters",
    },
    "the contents, or how they were used": {
        "kms": "GetPublicKey GetKeyLastUsage ListKeyRotations",
        "lambda": "GetDurableExecution GetDurableExecutionHistory GetDurableExecutionState "
        "ListDurableExecutionsByFunction",
        "logs": "DescribeLogStreams DescribeQueries GetLogEvents GetLogFields GetLogGroupFields GetLogObject "
        "GetLogRecord GetQueryResults ListLogGroupsForQuery",
        "rds": "DescribeDBLogFiles DescribeDBRecommendations",
        "secretsmanager": "GetRandomPassword GetSecretValue",
    },
    "the account's, of nothing that is ours": {
        "kms": "DescribeCustomKeyStores ListRetirableGrants",
        "lambda": "GetLayerVersion GetLayerVersionByArn GetLayerVersionPolicy ListFunctionVersionsByCapacityProvider "
        "ListLayerVersions ListLayers",
        # Deliveries bring the logs of others' services to a group, whose events say where they are from.
        "logs": "DescribeConfigurationTemplates DescribeDeliveries DescribeDeliveryDestinations "
        "DescribeDeliverySources DescribeDestinations DescribeImportTaskBatches DescribeImportTasks "
        "DescribeLookupTables DescribeQueryDefinitions GetDelivery GetDeliveryDestination "
        "GetDeliveryDestinationPolicy GetDeliverySource GetLookupTable",
        "rds": "DescribeDBCapacityReservations DescribeDBMajorEngineVersions DescribeDBSecurityGroups "
        "DescribeEventCategories DescribeReservedDBInstances DescribeReservedDBInstancesOfferings "
        "DescribeSourceRegions",
        "sns": "GetEndpointAttributes GetPlatformApplicationAttributes GetSMSAttributes GetSMSSandboxAccountStatus "
        "ListEndpointsByPlatformApplication ListOriginationNumbers ListPhoneNumbersOptedOut "
        "ListPlatformApplications ListSMSSandboxPhoneNumbers ListSubscriptions",
    },
    "asked by plan, apply or destroy: what there may be, and who else uses ours": {
        "lambda": "GetAccountSettings ListCapacityProviders ListFunctions",
        "rds": "DescribeAccountAttributes DescribeDBClusterAutomatedBackups DescribeDBEngineVersions "
        "DescribeDBInstanceAutomatedBackups DescribeDBSnapshots DescribeEngineDefaultClusterParameters "
        "DescribeEngineDefaultParameters DescribeEvents DescribeOrderableDBInstanceOptions",
        "secretsmanager": "ListSecrets",
        "sns": "ListTopics",
    },
    "nothing that Aurora PostgreSQL has": {
        "rds": "DescribeDBClusterBacktracks DescribeDBShardGroups DescribeDBSnapshotAttributes "
        "DescribeDBSnapshotTenantDatabases DescribeOptionGroupOptions DescribeOptionGroups DescribeTenantDatabases "
        "DescribeValidDBInstanceModifications",
    },
}


_OF_DRIFT = Need.OBSERVE | Need.EXPOSURES


@pytest.mark.parametrize("service", sorted(_LISTED))
def test_each_reading_operation_is_called_or_is_not_and_says_why(aws: Aws, service: str) -> None:
    lines = "\n".join(never_compared(registry()))
    assert {words for words in _LISTED[service] if words not in lines} == set()
    rights = (right for reconciler in registry().values() for right in reconciler.actions)
    called = {action for right in rights if right.need & _OF_DRIFT for action in right.actions}
    known = {
        name
        for name in aws.client(service).meta.service_model.operation_names
        if name.startswith(("List", "Describe", "Get")) and f"{service}:{name}" not in called
    }
    reasons = [*_LISTED[service].values(), *(one[service] for one in _REASONS.values() if service in one)]
    assert {name for names in reasons for name in names.split()} == known
